// Toy translation models as Hugging Face directories: sentencepiece models trained by
// marian_tokenizer_oracle.py, random weights.
#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/json.h"
#include "models/architectures/marian.h"
#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"
#include "tests/environment.h"
#include "tests/tools/support.h"

namespace octet::test {

/// The cases of marian_tokenizer_oracle.py, made once for the whole process.
inline const std::filesystem::path& spm_toys() {
  static const struct Folder {
    std::filesystem::path path =
        std::filesystem::path(::testing::TempDir()) / ("octet-spm-" + std::to_string(getpid()));
    Folder() {
      const Output output = shell(python_binary() + " " + source_dir() +
                                  "/tests/text/marian_tokenizer_oracle.py " + path.string());
      if (output.code != 0) throw std::runtime_error(output.text);
    }
    ~Folder() { std::filesystem::remove_all(path); }
  } folder;
  return folder.path;
}

/// Entries of the vocab.json of a case.
inline int64_t spm_vocab(const std::string& name) {
  return read_json((spm_toys() / name).string() + ".json")["vocab"];
}

inline nlohmann::json toy_marian_json(int64_t vocab) {
  return {{"architectures", {"MarianMTModel"}},
          {"model_type", "marian"},
          {"dtype", "float16"},
          {"d_model", 32},
          {"encoder_ffn_dim", 48},
          {"decoder_ffn_dim", 48},
          {"encoder_layers", 2},
          {"decoder_layers", 2},
          {"encoder_attention_heads", 4},
          {"decoder_attention_heads", 4},
          {"vocab_size", vocab},
          {"decoder_vocab_size", vocab},
          {"max_position_embeddings", 64},
          {"activation_function", "relu"},
          {"scale_embedding", true},
          {"is_encoder_decoder", true},
          {"tie_word_embeddings", true},
          {"bos_token_id", 0},
          {"eos_token_id", 0},
          {"forced_eos_token_id", 0},
          {"pad_token_id", vocab - 1},
          {"decoder_start_token_id", vocab - 1}};
}

/// Writes a directory with all its files; the tokenizer is that of the case "unigram".
inline void write_toy_marian(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const char* name : {"source.spm", "target.spm", "vocab.json"}) {
    std::filesystem::copy(spm_toys() / "unigram" / name, folder / name);
  }
  const int64_t vocab = spm_vocab("unigram");
  const nlohmann::json config = toy_marian_json(vocab);
  std::ofstream(folder / "config.json") << config.dump();
  std::ofstream(folder / "generation_config.json")
      << nlohmann::json{{"bad_words_ids", {{vocab - 1}}}, {"max_length", 12}, {"num_beams", 2}};
  std::ofstream(folder / "tokenizer_config.json")
      << nlohmann::json{{"tokenizer_class", "MarianTokenizer"}, {"separate_vocabs", false}};
  auto tensors = random_tensors(Marian(parse_config(config, "toy")).topology(), 3, 0.3);
  std::vector<TensorInfo> infos;
  for (auto& [name, tensor] : tensors) {
    tensor = tensor.to(at::kHalf);
    infos.push_back({name, container_dtype(tensor.scalar_type()), tensor.sizes().vec()});
  }
  SafetensorsWriter writer(folder / "model.safetensors", infos);
  for (const auto& [name, tensor] : tensors) {
    writer.write(name, {static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()});
  }
  writer.commit();
}

}  // namespace octet::test
