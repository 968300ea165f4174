#include "models/architectures/llama.h"
#include "models/architectures/marian.h"
#include "models/architectures/registry.h"
#include "models/architectures/vit.h"

namespace octet {

std::unique_ptr<Model> make_model(const ModelConfig& config) {
  switch (architecture_row(config).model_class) {
    case ModelClass::kLlama:
      return std::make_unique<Llama>(config);
    case ModelClass::kMarian:
      return std::make_unique<Marian>(config);
    case ModelClass::kVit:
      return std::make_unique<Vit>(config);
  }
  return nullptr;
}

}  // namespace octet
