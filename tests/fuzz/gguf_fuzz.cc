// A GGUF file: header, every tensor dequantized, config.json and tokenizer.json from its metadata.
#include <nlohmann/json.hpp>
#include <vector>

#include "core/containers/gguf.h"
#include "models/config.h"
#include "tests/fuzz/fuzz.h"
#include "text/tokenizers/gguf_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  const fuzz::MemoryFile memory(data, size);
  fuzz::refuse([&] {
    const GgufFile file(memory.path());
    for (const auto& [name, tensor] : file.tensors()) {
      size_t count = 1;
      for (const int64_t side : tensor.shape) count *= static_cast<size_t>(side);
      std::vector<float> values(count);
      file.dequantize(tensor, values);
    }
    fuzz::refuse([&] { parse_config(config_json(file, "float16"), "fuzz"); });
    fuzz::refuse([&] { tokenizer_json(file); });
    fuzz::refuse([&] { tokenizer_config_json(file); });
  });
  return 0;
}
