// Activation functions by the names of config.json. Free of torch.
#pragma once
#include <optional>
#include <string_view>

namespace octet {

enum class ActivationKind { kSilu, kGelu, kGeluTanh, kRelu };

/// By the name in a config.json; none for those that octet does not run.
std::optional<ActivationKind> activation_kind(std::string_view act);

/// Whether activation_kind() knows it.
bool is_activation(std::string_view act);

}  // namespace octet
