#include "finetune/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <numbers>

#include "core/error.h"

namespace octet {
namespace {

bool decays(Parameter::Kind kind) {
  return kind == Parameter::Kind::kWeight;
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

at::Tensor AdamW::clip_gradients() {
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> gradients;
  for (const Parameter& p : parameters_) {
    if (p.leaf.grad().defined()) gradients.push_back(p.leaf.grad());
  }
  if (gradients.empty()) return at::zeros({});
  const at::Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)));
  // Times 1 where the norm is small enough; a norm that is not finite stays visible.
  if (options_.clip > 0) {
    at::_foreach_mul_(gradients, options_.clip / norm.clamp_min(options_.clip));
  }
  return norm;
}

// Leaves with one rate and one decay are moved by one call.
void AdamW::step(int64_t step, int64_t steps) {
  const at::NoGradGuard no_gradients;
  const double rate = rate_at(options_, step, steps);
  std::map<std::pair<double, double>, std::vector<size_t>> groups;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    const bool scale = p.kind == Parameter::Kind::kScale;
    if (!p.leaf.grad().defined()) continue;
    groups[{(scale ? options_.scale_lr : options_.lr) * rate,
            decays(p.kind) ? options_.weight_decay : 0.0}]
        .push_back(i);
  }
  for (const auto& [numbers, members] : groups) {
    std::vector<at::Tensor> leaves, gradients, first, second;
    for (const size_t i : members) {
      leaves.push_back(parameters_[i].leaf), gradients.push_back(parameters_[i].leaf.grad());
      first.push_back(first_[i]), second.push_back(second_[i]);
    }
    const at::Tensor count =
        at::full({}, static_cast<double>(step + 1), leaves.front().options().requires_grad(false));
    at::_fused_adamw_(leaves, gradients, first, second, {},
                      std::vector<at::Tensor>(leaves.size(), count), numbers.first, options_.beta1,
                      options_.beta2, numbers.second, options_.epsilon, false, false);
    // The fused kernel does not tell those who hold what follows from the leaf.
    for (const at::Tensor& leaf : leaves) leaf.unsafeGetTensorImpl()->bump_version();
  }
}

}  // namespace octet
