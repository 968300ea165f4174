// The quantization_config of a config.json in the words of compressed-tensors
// (docs/checkpoint-format.md).
#pragma once
#include <string>
#include <vector>

#include "quant/schemes/plan.h"

namespace octet {

/// config.json's text with the quantization_config of `plan` added: one config group a distinct
/// scheme, its targets the exact names of its modules; every kept linear layer in "ignore". Modules
/// that transformers 5 renames on loading are listed by both names. A
/// quantized head that was tied is untied. At least one module is quantized.
std::string quantized_config(const std::string& config_text, const std::vector<ModulePlan>& plan);

/// "pack-quantized" (weights alone) or "int-quantized": how the tensors of a scheme are stored.
const char* storage_format(const Scheme& scheme);

}  // namespace octet
