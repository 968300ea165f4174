#include "models/activation_kind.h"

namespace octet {

std::optional<ActivationKind> activation_kind(std::string_view act) {
  if (act == "silu" || act == "swish") return ActivationKind::kSilu;
  if (act == "gelu") return ActivationKind::kGelu;
  if (act == "gelu_tanh" || act == "gelu_pytorch_tanh" || act == "gelu_new") {
    return ActivationKind::kGeluTanh;
  }
  if (act == "relu") return ActivationKind::kRelu;
  return std::nullopt;
}

bool is_activation(std::string_view act) {
  return activation_kind(act).has_value();
}

}  // namespace octet
