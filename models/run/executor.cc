#include "models/run/executor.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/ranges.h>

#include <set>

#include "core/error.h"
#include "models/run/activation.h"
#include "models/run/cuda.h"

namespace octet {

class Executor::Tables : public WeightSource {
 public:
  Tables(WeightSource& base, const std::map<std::string, at::Tensor>& tables)
      : base_(base), tables_(tables) {}
  bool has(const std::string& name) const override {
    return tables_.contains(name) || base_.has(name);
  }
  Weight get(const std::string& name) override {
    const auto found = tables_.find(name);
    if (found == tables_.end()) return base_.get(name);
    Weight weight;
    weight.dense = found->second;
    return weight;
  }

 private:
  WeightSource& base_;
  const std::map<std::string, at::Tensor>& tables_;
};

Executor::Executor(const Topology& topology, std::shared_ptr<WeightSource> source,
                   LinearFactory factory, ExecutorOptions options)
    : topology_(topology),
      source_(std::move(source)),
      factory_(std::move(factory)),
      options_(options),
      norms_(topology_.norms.size()),
      linears_(topology_.sites.size()) {}

void Executor::load(int block) {
  const auto widest = at::TensorOptions(options_.compute).device(options_.device);
  for (const Table& table : topology_.tables) {
    if (table.block != block) continue;
    at::Tensor weight = source_->get(table.name).dense;
    if (!weight.defined() || weight.sizes() != at::IntArrayRef(table.shape())) {
      throw Error(fmt::format("table {} of another shape or quantized", table.name),
                  fmt::format("float [{}]", fmt::join(table.shape(), ", ")),
                  "use the config.json that belongs to these weights");
    }
    weight = weight.reshape({table.rows, table.dim});
    tables_[table.name] =
        options_.keep_stored_tables ? weight.to(options_.device) : weight.to(widest).contiguous();
  }
  for (size_t i = 0; i < topology_.norms.size(); ++i) {
    const Norm& norm = topology_.norms[i];
    if (norm.block != block) continue;
    const auto vector = [&](const std::string& suffix) {
      at::Tensor loaded = source_->get(norm.name + suffix).dense.to(widest).contiguous();
      if (loaded.sizes() != at::IntArrayRef({norm.dim})) {
        throw Error(fmt::format("tensor {}{} of {} elements", norm.name, suffix, loaded.numel()),
                    fmt::format("{}", norm.dim),
                    "use the config.json that belongs to these weights");
      }
      return loaded;
    };
    norms_[i].weight = vector(".weight");
    if (!norm.rms) norms_[i].bias = vector(".bias");
  }
  Tables source(*source_, tables_);
  for (size_t i = 0; i < topology_.sites.size(); ++i) {
    if (topology_.sites[i].block == block) linears_[i] = factory_(topology_.sites[i], source);
  }
}

void Executor::release(int block) {
  for (const Table& table : topology_.tables) {
    if (table.block == block) tables_.erase(table.name);
  }
  for (size_t i = 0; i < topology_.norms.size(); ++i) {
    if (topology_.norms[i].block == block) norms_[i] = {};
  }
  for (size_t i = 0; i < topology_.sites.size(); ++i) {
    if (topology_.sites[i].block == block) linears_[i].reset();
  }
}

void Executor::load_all() {
  for (int block = kOutside; block < topology_.blocks; ++block) load(block);
}

bool Executor::loaded(int block) const {
  for (size_t i = 0; i < topology_.sites.size(); ++i) {
    if (topology_.sites[i].block == block && !linears_[i]) return false;
  }
  return true;
}

void Executor::replace(Id site, std::unique_ptr<Linear> linear) {
  linears_.at(site) = std::move(linear);
}

void Executor::check_loaded(Id site) const {
  if (linears_.at(site)) return;
  throw Error(fmt::format("block {} is not loaded", topology_.sites[site].block),
              "load() before running it", "this is a defect in octet: please report it");
}

Linear& Executor::linear_of(Id site) {
  check_loaded(site);
  return *linears_[site];
}

bool Executor::keep_value(Id site) const {
  return observer_ != nullptr || training_ || linears_[site]->wants() == Format::kFloat;
}

// The fused CPU kernels see float32, contiguous, without gradients; an observer needs the float
// value.
bool Executor::fuse(Id site, const at::Tensor& x) const {
  return !training_ && x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous() &&
         x.numel() > 0 && (site < 0 || observer_ == nullptr);
}

bool Executor::fuse_on_gpu(Id site, const at::Tensor& x) const {
  return !training_ && !(at::GradMode::is_enabled() && x.requires_grad()) && has_cuda_kernel(x) &&
         (site < 0 || observer_ == nullptr);
}

namespace {
/// Whether x + delta is of x's type and shape, and delta one that kernels read.
bool adds_into(const at::Tensor& x, const at::Tensor& delta) {
  return has_cuda_kernel(delta) && delta.sizes() == x.sizes() &&
         at::result_type(x, delta) == x.scalar_type();
}
}  // namespace

namespace {
/// x [..., K] as [tokens, K] without the tokens that `real` marks as padding.
at::Tensor real_rows(const at::Tensor& x, const at::Tensor& real) {
  const at::Tensor flat = x.detach().reshape({-1, x.size(-1)});
  if (!real.defined()) return flat;
  if (real.numel() != flat.size(0)) {
    throw Error(fmt::format("a mask of {} tokens for {}", real.numel(), flat.size(0)),
                "one that tells of each token whether it is real",
                "this is a defect in octet: please report it");
  }
  return flat.index({real.reshape({-1})});
}
}  // namespace

const at::Tensor& Executor::loaded_table(const std::string& name) const {
  const auto found = tables_.find(name);
  if (found != tables_.end()) return found->second;
  throw Error(fmt::format("table {} is not loaded", name), "load(kOutside) before running",
              "this is a defect in octet: please report it");
}

at::Tensor Executor::embed(const std::string& table, const at::Tensor& ids) {
  return at::embedding(loaded_table(table), ids.to(options_.device)).to(options_.compute);
}

at::Tensor Executor::table(const std::string& name) const {
  return loaded_table(name).to(options_.compute);
}

Executor::Normed Executor::add_norm(Id norm, const at::Tensor& x, const at::Tensor& delta) {
  const Norm& info = topology_.norms.at(norm);
  const NormWeights& weights = norms_.at(norm);
  if (info.reader >= 0) check_loaded(info.reader);
  const Format format = info.reader < 0 ? Format::kFloat : linears_[info.reader]->wants();
  const at::Tensor scale =
      format.per_tensor() ? linears_[info.reader]->input_scale() : at::Tensor();
  if (!info.rms && info.post && fuse(info.reader, x) && (!delta.defined() || fuse(-1, delta))) {
    Activation out =
        fused_layer_norm(x, delta, weights.weight, weights.bias, info.eps, format, scale);
    return {out.value, std::move(out)};
  }
  if (fuse_on_gpu(info.reader, x) && x.scalar_type() == weights.weight.scalar_type() &&
      (!delta.defined() || adds_into(x, delta))) {
    CudaNormed made = cuda_norm({x, delta, weights.weight, weights.bias, info.eps, format, scale,
                                 info.post || info.reader < 0 || keep_value(info.reader)});
    return {info.post ? made.out.value : made.sum, std::move(made.out)};
  }
  const at::Tensor sum = delta.defined() ? x + delta : x;
  if (info.rms && !info.post && fuse(info.reader, sum)) {
    return {sum, fused_rms_norm(sum, weights.weight, info.eps, format, scale)};
  }
  const at::Tensor normed = norm_alone(info, weights, sum);
  return {info.post ? normed : sum,
          to_format(normed, format, scale, info.reader < 0 || keep_value(info.reader))};
}

at::Tensor Executor::norm_alone(const Norm& info, const NormWeights& weights,
                                const at::Tensor& x) const {
  if (!fuse(-1, x)) {
    return info.rms ? rms_norm(x, weights.weight, info.eps)
                    : layer_norm(x, weights.weight, weights.bias, info.eps);
  }
  return info.rms
             ? fused_rms_norm(x, weights.weight, info.eps, Format::kFloat, {}).value
             : fused_layer_norm(x, {}, weights.weight, weights.bias, info.eps, Format::kFloat, {})
                   .value;
}

Activation Executor::quantize_input(Id site, const at::Tensor& x) {
  check_loaded(site);
  return to_format(x, linears_[site]->wants(), linears_[site]->input_scale(), keep_value(site));
}

Activation Executor::gate(Id site, const at::Tensor& gate_up, std::string_view act) {
  check_loaded(site);
  const int64_t k = topology_.sites[site].k();
  const bool gated = gate_up.size(-1) == 2 * k;
  const bool has_kernel =
      gated ? act == "silu" || act == "swish" : gate_up.size(-1) == k && has_fused_activation(act);
  const auto fused = [&](Format format, const at::Tensor& scale) {
    return gated ? fused_silu_mul(gate_up, k, format, scale)
                 : fused_activation(gate_up, act, format, scale);
  };
  Linear& linear = *linears_[site];
  if (fuse_on_gpu(site, gate_up) && is_activation(act)) {
    return cuda_gate(gate_up, k, act, linear);
  }
  if (has_kernel && fuse(site, gate_up)) return fused(linear.wants(), linear.input_scale());
  const at::Tensor value =
      has_kernel && fuse(-1, gate_up) ? fused(Format::kFloat, {}).value : activate(gate_up, k, act);
  return to_format(value, linear.wants(), linear.input_scale(), keep_value(site));
}

at::Tensor Executor::linear(Id site, const Activation& input, const at::Tensor& real) {
  check_loaded(site);
  if (observer_ != nullptr) observer_->on_input(site, real_rows(input.value, real));
  at::Tensor y = linears_[site]->forward(input);
  if (observer_ != nullptr) observer_->on_output(site, real_rows(y, real));
  return y;
}

at::Tensor Executor::dropout(const at::Tensor& x, double p) {
  return training_ && p > 0 ? at::dropout(x, p, true) : x;
}

std::vector<Parameter> Executor::parameters() {
  std::vector<Parameter> all;
  for (const Table& table : topology_.tables) {
    const auto found = tables_.find(table.name);
    if (found != tables_.end())
      all.push_back({Parameter::Kind::kEmbedding, table.name, found->second});
  }
  for (int block = kOutside; block < topology_.blocks; ++block) {
    for (size_t i = 0; i < topology_.norms.size(); ++i) {
      if (topology_.norms[i].block != block || !norms_[i].weight.defined()) continue;
      const std::string& name = topology_.norms[i].name;
      all.push_back({Parameter::Kind::kNorm, name + ".weight", norms_[i].weight});
      if (norms_[i].bias.defined()) {
        all.push_back({Parameter::Kind::kNorm, name + ".bias", norms_[i].bias});
      }
    }
    for (size_t i = 0; i < topology_.sites.size(); ++i) {
      if (topology_.sites[i].block == block && linears_[i]) linears_[i]->parameters(all);
    }
  }
  std::set<const c10::TensorImpl*> seen;
  std::erase_if(all, [&seen](const Parameter& parameter) {
    return !seen.insert(parameter.leaf.unsafeGetTensorImpl()).second;
  });
  return all;
}

uint64_t Executor::weight_bytes() const {
  uint64_t total = 0;
  for (const auto& [name, table] : tables_) total += table.nbytes();
  for (const NormWeights& norm : norms_) {
    if (norm.weight.defined()) total += norm.weight.nbytes();
    if (norm.bias.defined()) total += norm.bias.nbytes();
  }
  for (size_t i = 0; i < linears_.size(); ++i) {
    const bool shared =
        !topology_.sites[i].tied_to.empty() && tables_.contains(topology_.sites[i].tied_to);
    if (linears_[i] && !shared) total += linears_[i]->bytes();
  }
  return total;
}

}  // namespace octet
