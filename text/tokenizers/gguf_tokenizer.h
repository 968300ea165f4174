// The tokenizer inside a GGUF file, rewritten as the files Hugging Face publishes.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "core/containers/gguf.h"

namespace octet {

/// tokenizer.json from tokenizer.ggml.* (model "gpt2"). GGUF stores the name of the splitting rule
/// only (tokenizer.ggml.pre: smollm, llama-bpe, qwen2 or deepseek-r1-qwen); Error naming the known
/// ones for another. Control tokens become
/// special added tokens, user-defined ones plain added tokens; add_bos_token and add_eos_token
/// become a template; where add_bos_token is absent, llama-bpe and deepseek-r1-qwen
/// add BOS and the others do not.
nlohmann::json tokenizer_json(const GgufFile& file);

/// tokenizer_config.json that belongs to it: special tokens, chat_template, and the context length
/// as model_max_length where the file states them.
nlohmann::json tokenizer_config_json(const GgufFile& file);

}  // namespace octet
