#include "models/weights/gguf_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "models/architectures/registry.h"

namespace octet {
namespace {

constexpr uint64_t kRun = uint64_t{1} << 18;  // values dequantized at a time, at most

// Hugging Face's name of a llama-family GGUF tensor, or empty.
std::string hugging_face_name(const std::string& name) {
  static const std::map<std::string, std::string> outside = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"}};
  static const std::map<std::string, std::string> inside = {
      {"attn_norm", "input_layernorm"},    {"ffn_norm", "post_attention_layernorm"},
      {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},      {"attn_output", "self_attn.o_proj"},
      {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"},
      {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"}};
  if (const auto found = outside.find(name); found != outside.end()) return found->second;
  if (!name.starts_with("blk.")) return "";
  const size_t number_end = name.find('.', 4), stem_end = name.rfind('.');
  if (number_end == std::string::npos || stem_end <= number_end) return "";
  const auto found = inside.find(name.substr(number_end + 1, stem_end - number_end - 1));
  if (found == inside.end()) return "";
  return fmt::format("model.layers.{}.{}{}", name.substr(4, number_end - 4), found->second,
                     name.substr(stem_end));
}

// Rows of a tensor as Hugging Face orders them. GGUF stores rotary pairs side by side ([head, d/2,
// 2] rows); Hugging Face stores halves ([head, 2, d/2]). heads: 0 where rows are in order.
class GgufReader : public RowReader {
 public:
  GgufReader(std::shared_ptr<const GgufFile> file, const GgufFile::Tensor& tensor,
             const TensorInfo& info, int64_t heads)
      : RowReader(octet::row_bytes(info)),
        file_(std::move(file)),
        tensor_(tensor),
        k_(static_cast<uint64_t>(element_count(info) / info.shape.front())),
        half_(info.dtype == Dtype::kF16),
        head_rows_(heads == 0 ? 0 : static_cast<uint64_t>(info.shape.front() / heads)) {}

 private:
  void read_rows(uint64_t first, std::span<std::byte> out) const override {
    const uint64_t end = first + out.size() / row_bytes();
    std::vector<float> values;
    for (uint64_t row = first, rows = 1; row < end; row += rows) {
      if (head_rows_ == 0) rows = std::clamp<uint64_t>(kRun / k_, 1, end - row);
      values.resize(rows * k_);
      file_->dequantize(tensor_, stored_row(row) * k_, values);
      store(values, out.data() + (row - first) * row_bytes());
    }
  }

  uint64_t stored_row(uint64_t row) const {
    if (head_rows_ == 0) return row;
    const uint64_t pairs = head_rows_ / 2, within = row % head_rows_;
    return row - within + within % pairs * 2 + within / pairs;
  }

  void store(const std::vector<float>& values, std::byte* out) const {
    if (!half_) {
      std::memcpy(out, values.data(), values.size() * sizeof(float));
      return;
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = float_to_half(values[i]);
      std::memcpy(out + i * sizeof half, &half, sizeof half);
    }
  }

  std::shared_ptr<const GgufFile> file_;
  const GgufFile::Tensor& tensor_;
  uint64_t k_;
  bool half_;
  uint64_t head_rows_;
};

}  // namespace

GgufTensors::GgufTensors(std::shared_ptr<const GgufFile> file, Dtype dtype)
    : file_(std::move(file)) {
  const Architecture* row = find_gguf_architecture(file_->text("general.architecture"));
  interleaved_ = row != nullptr && row->decoder.gguf_interleaved;
  for (const auto& [name, tensor] : file_->tensors()) {
    const std::string known = hugging_face_name(name);
    if (!known.empty()) {
      stored_[known] = name;
    } else if (name != "rope_freqs.weight") {  // config_json() reads it
      unknown_.push_back(name);
    }
  }
  for (const auto& [name, stored] : stored_) add({name, dtype, file_->tensor(stored).shape});
}

int64_t GgufTensors::rotary_heads(const std::string& name) const {
  if (!interleaved_) return 0;
  const std::string arch = file_->text("general.architecture");
  const std::string heads = arch + ".attention.head_count", kv = heads + "_kv";
  if (name.find("self_attn.q_proj.") != std::string::npos) return file_->integer(heads);
  if (name.find("self_attn.k_proj.") == std::string::npos) return 0;
  return file_->integer(file_->has(kv) ? kv : heads);
}

std::shared_ptr<const TensorReader> GgufTensors::open(const std::string& name) {
  const TensorInfo& described = info(name);
  const int64_t heads = rotary_heads(name), rows = described.shape.front();
  if (heads < 0 || (heads > 0 && rows % (2 * heads) != 0)) {
    throw Error(fmt::format("{} query or key rows for {} heads", rows, heads),
                "an even number of rows a head", "fetch the file again");
  }
  return std::make_shared<GgufReader>(file_, file_->tensor(stored_.at(name)), described, heads);
}

}  // namespace octet
