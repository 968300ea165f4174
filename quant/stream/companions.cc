#include <nlohmann/json.hpp>

#include "core/io/atomic_file.h"
#include "core/io/input_file.h"
#include "models/open.h"
#include "quant/formats/compressed_tensors/compressed_tensors.h"
#include "text/tokenizers/gguf_tokenizer.h"

namespace octet {

void copy_companions(const std::filesystem::path& model, const std::filesystem::path& directory) {
  if (is_gguf(model)) {
    const GgufFile file(model);
    write_file(directory / "tokenizer.json", tokenizer_json(file).dump(1) + "\n");
    write_file(directory / "tokenizer_config.json", tokenizer_config_json(file).dump(2) + "\n");
    return;
  }
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "generation_config.json", "chat_template.jinja", "vocab.json",
                           "merges.txt", "added_tokens.json", "tokenizer.model", "source.spm",
                           "target.spm", "preprocessor_config.json"}) {
    if (std::filesystem::exists(model / name))
      write_file(directory / name, read_file(model / name));
  }
}

}  // namespace octet
