#include <nlohmann/json.hpp>

#include "core/io/atomic_file.h"
#include "core/io/input_file.h"
#include "models/source_model.h"
#include "quant/formats/compressed_tensors/compressed_tensors.h"
#include "text/tokenizers/gguf_tokenizer.h"

namespace octet {

void copy_companions(const SourceModel& model, const std::filesystem::path& directory) {
  if (model.is_gguf()) {
    const auto file = model.gguf();
    write_file(directory / "tokenizer.json", tokenizer_json(*file).dump(1) + "\n");
    write_file(directory / "tokenizer_config.json", tokenizer_config_json(*file).dump(2) + "\n");
    return;
  }
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "generation_config.json", "chat_template.jinja", "vocab.json",
                           "merges.txt", "added_tokens.json", "tokenizer.model", "source.spm",
                           "target.spm", "preprocessor_config.json"}) {
    const std::filesystem::path file = model.path() / name;
    if (std::filesystem::exists(file)) write_file(directory / name, read_file(file));
  }
}

}  // namespace octet
