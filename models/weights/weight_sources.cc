#include "models/weights/weight_sources.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "core/random.h"
#include "models/architectures/families.h"
#include "models/torch_dtype.h"

namespace octet {
namespace {

[[noreturn]] void absent(const std::string& name) {
  throw Error(fmt::format("no tensor {} in the checkpoint", name),
              "all tensors that config.json implies",
              "use the config.json that belongs to these weights");
}

std::span<std::byte> bytes_of(at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

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

// GGUF stores rotary pairs side by side ([head, d/2, 2] rows); Hugging Face stores halves ([head,
// 2, d/2]).
at::Tensor unpermute(const at::Tensor& weight, int64_t heads) {
  const int64_t rows = weight.size(0);
  if (heads <= 0 || rows % (2 * heads) != 0) {
    throw Error(fmt::format("{} query or key rows for {} heads", rows, heads),
                "an even number of rows a head", "fetch the file again");
  }
  auto rest = weight.sizes().slice(1).vec();
  std::vector<int64_t> split = {heads, rows / heads / 2, 2};
  split.insert(split.end(), rest.begin(), rest.end());
  return weight.view(split).transpose(1, 2).reshape(weight.sizes()).contiguous();
}

}  // namespace

at::Tensor read_tensor(const Checkpoint& checkpoint, const std::string& name) {
  if (!checkpoint.has(name)) absent(name);
  const TensorInfo& info = checkpoint.info(name);
  at::Tensor tensor = at::empty(info.shape, at::TensorOptions(torch_dtype(info.dtype, name)));
  checkpoint.read(name, bytes_of(tensor));
  return tensor;
}

void check_finite(const std::string& name, const at::Tensor& tensor) {
  if (!tensor.is_floating_point() || tensor.numel() == 0) return;
  // A sum is finite only if every element is (float64 cannot overflow on these dtypes).
  if (std::isfinite(tensor.sum(at::kDouble).item<double>())) return;
  const at::Tensor bad = at::nonzero(at::isfinite(tensor.reshape({-1})).logical_not());
  if (bad.numel() == 0) return;
  const int64_t at_index = bad[0][0].item<int64_t>();
  throw Error(
      fmt::format("{} at element {} of tensor {} ({} such elements)",
                  tensor.reshape({-1})[at_index].item<double>(), at_index, name, bad.size(0)),
      "finite weights", "the checkpoint is damaged: fetch or train it again");
}

Weight CheckpointSource::get(const std::string& name) {
  Weight weight;
  weight.dense = read_tensor(checkpoint_, name);
  check_finite(name, weight.dense);
  return weight;
}

GgufSource::GgufSource(const std::filesystem::path& file, bool half) : file_(file), half_(half) {
  const Family* family = find_gguf_family(file_.text("general.architecture"));
  interleaved_ = family != nullptr && family->gguf_interleaved;
  for (const auto& [name, tensor] : file_.tensors()) {
    const std::string known = hugging_face_name(name);
    if (!known.empty()) {
      names_[known] = name;
    } else if (name != "rope_freqs.weight") {  // config_json() reads it
      unknown_.push_back(name);
    }
  }
}

int64_t GgufSource::rotary_heads(const std::string& name) const {
  const std::string arch = file_.text("general.architecture");
  const std::string heads = arch + ".attention.head_count", kv = heads + "_kv";
  if (name.find("self_attn.q_proj.") != std::string::npos) return file_.integer(heads);
  if (name.find("self_attn.k_proj.") == std::string::npos) return 0;
  return file_.integer(file_.has(kv) ? kv : heads);
}

Weight GgufSource::get(const std::string& name) {
  const auto found = names_.find(name);
  if (found == names_.end()) absent(name);
  const GgufFile::Tensor& info = file_.tensor(found->second);
  at::Tensor tensor = at::empty(info.shape, at::kFloat);
  file_.dequantize(info, {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())});
  const int64_t heads = interleaved_ ? rotary_heads(name) : 0;
  if (heads != 0) tensor = unpermute(tensor, heads);
  Weight weight;
  weight.dense = half_ ? tensor.to(at::kHalf) : tensor;
  check_finite(name, weight.dense);
  return weight;
}

Weight MapSource::get(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) absent(name);
  Weight weight;
  weight.dense = found->second;
  return weight;
}

std::map<std::string, at::Tensor> random_tensors(const Topology& topology, uint64_t seed,
                                                 double deviation) {
  std::map<std::string, at::Tensor> tensors;
  const auto fill = [&](const std::string& name, at::IntArrayRef shape, double mean) {
    const Random random(seed, name);
    at::Tensor tensor = at::empty(shape, at::kFloat);
    auto* data = tensor.data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      data[i] = static_cast<float>(mean + deviation * random.normal(static_cast<uint64_t>(i)));
    }
    tensors[name] = tensor;
  };
  for (const Table& table : topology.tables) fill(table.name, table.shape(), 0);
  for (const Norm& norm : topology.norms) {
    fill(norm.name + ".weight", {norm.dim}, 1);
    if (!norm.rms) fill(norm.name + ".bias", {norm.dim}, 0);
  }
  for (const Site& site : topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      if (site.tied_to.empty()) fill(matrix.name + ".weight", {matrix.n, matrix.k}, 0);
      if (matrix.bias) fill(matrix.name + ".bias", {matrix.n}, 0);
    }
  }
  return tensors;
}

}  // namespace octet
