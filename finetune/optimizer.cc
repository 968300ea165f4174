#include "finetune/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace octet {
namespace {

bool decays(Parameter::Kind kind) {
  return kind == Parameter::Kind::kWeight || kind == Parameter::Kind::kEmbedding;
}

}  // namespace

double rate_at(const OptimizerOptions& options, int64_t step, int64_t steps) {
  const auto done = static_cast<double>(step + 1), warm = static_cast<double>(options.warmup);
  if (done < warm) return done / warm;
  if (options.schedule == "constant") return 1;
  if (options.schedule == "inverse-sqrt") return std::sqrt(std::max(warm, 1.0) / done);
  if (options.schedule == "cosine") {
    const double left = std::max(1.0, static_cast<double>(steps) - warm);
    const double share = std::min(1.0, (done - std::max(warm, 1.0)) / left);
    return 0.1 + 0.45 * (1 + std::cos(std::numbers::pi * share));
  }
  throw UsageError(fmt::format("--schedule {}", options.schedule),
                   "cosine, inverse-sqrt or constant", "choose one of them");
}

AdamW::AdamW(std::vector<Parameter> parameters, OptimizerOptions options)
    : parameters_(std::move(parameters)), options_(std::move(options)) {
  rate_at(options_, 0, 1);
  for (Parameter& p : parameters_) {
    p.leaf.requires_grad_(true);
    first_.push_back(at::zeros_like(p.leaf));
    second_.push_back(at::zeros_like(p.leaf));
  }
}

void AdamW::zero_gradients() {
  for (Parameter& p : parameters_) p.leaf.mutable_grad() = at::Tensor();
}

double AdamW::clip_gradients() {
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> norms;
  for (const Parameter& p : parameters_) {
    if (p.leaf.grad().defined()) norms.push_back(at::linalg_vector_norm(p.leaf.grad()));
  }
  if (norms.empty()) return 0;
  const double norm = at::linalg_vector_norm(at::stack(norms)).item<double>();
  if (options_.clip > 0 && norm > options_.clip) {
    for (Parameter& p : parameters_) {
      if (p.leaf.grad().defined()) p.leaf.mutable_grad().mul_(options_.clip / norm);
    }
  }
  return norm;
}

void AdamW::step(int64_t step, int64_t steps) {
  const at::NoGradGuard no_gradients;
  const double rate = rate_at(options_, step, steps);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& p = parameters_[i];
    if (!p.leaf.grad().defined()) continue;
    const bool scale = p.kind == Parameter::Kind::kScale;
    const at::Tensor count =
        at::full({}, static_cast<double>(step + 1), p.leaf.options().requires_grad(false));
    at::_fused_adamw_({p.leaf}, {p.leaf.grad()}, {first_[i]}, {second_[i]}, {}, {count},
                      (scale ? options_.scale_lr : options_.lr) * rate, options_.beta1,
                      options_.beta2, decays(p.kind) ? options_.weight_decay : 0.0,
                      options_.epsilon, false, false);
    // The fused kernel does not tell those who hold what follows from the leaf.
    p.leaf.unsafeGetTensorImpl()->bump_version();
  }
}

}  // namespace octet
