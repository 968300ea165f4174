#include "finetune/losses.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/error.h"

namespace octet {
namespace {

// The part of a Hidden that Model::end reads, at positions [first, first + count).
Hidden slice(const Hidden& hidden, int64_t first, int64_t count, bool gradients) {
  Hidden part;
  const auto cut = [&](const at::Tensor& x) {
    if (!x.defined()) return x;
    at::Tensor piece = x.detach().narrow(1, first, count);
    return gradients && x.requires_grad() ? piece.contiguous().requires_grad_(true) : piece;
  };
  part.x = cut(hidden.x);
  part.delta = cut(hidden.delta);
  part.batch = hidden.batch;
  part.batch.mask = part.batch.target_mask = at::Tensor();
  return part;
}

at::Tensor flat_logits(const Runner& runner, Hidden& hidden) {
  const at::Tensor logits = runner.model->end(*runner.executor, hidden);
  return logits.reshape({-1, logits.size(-1)});
}

int64_t classes(const Runner& runner) {
  int64_t most = 1;
  for (const Site& site : runner.model->topology().sites) {
    if (site.block == kOutside) most = std::max(most, site.n());
  }
  return most;
}

// Gradients of the chunks, side by side again.
struct Collected {
  std::vector<at::Tensor> x, delta;
  void take(const Hidden& part) {
    if (part.x.requires_grad()) x.push_back(part.x.grad());
    if (part.delta.defined() && part.delta.requires_grad()) delta.push_back(part.delta.grad());
  }
  void backward(const Hidden& hidden) const {
    std::vector<at::Tensor> outputs, gradients;
    if (!x.empty()) outputs.push_back(hidden.x), gradients.push_back(at::cat(x, 1));
    if (!delta.empty()) outputs.push_back(hidden.delta), gradients.push_back(at::cat(delta, 1));
    if (!outputs.empty()) torch::autograd::backward(outputs, gradients);
  }
};

}  // namespace

LossSums LossSums::read(const at::Tensor& sums) {
  const at::Tensor host = sums.to(at::kCPU);
  const auto* values = host.const_data_ptr<double>();
  return {values[0], values[1], values[2], static_cast<int64_t>(values[3])};
}

at::Tensor no_sums(at::Device device) {
  return at::zeros({4}, at::TensorOptions(at::kDouble).device(device));
}

LossOptions parse_loss(const std::string& name) {
  LossOptions options;
  if (name == "ce") return options;
  options.divergence = 1;
  if (name == "kl") options.cross_entropy = 0;
  if (name == "kl" || name == "both") return options;
  throw UsageError(fmt::format("--loss {}", name), "ce, kl or both", "choose one of them");
}

at::Tensor position_losses(const at::Tensor& logits, const at::Tensor& teacher,
                           const at::Tensor& targets, const LossOptions& options,
                           at::Tensor* gradient) {
  const at::NoGradGuard no_gradients;
  const double ce = options.cross_entropy, smoothing = options.label_smoothing;
  const double kl = teacher.defined() ? options.divergence : 0;
  const at::Tensor scored = targets.ne(kNoTarget);
  const at::Tensor rows = scored.to(at::kFloat).unsqueeze(1);
  const at::Tensor ids = targets.clamp_min(0).unsqueeze(1);
  const at::Tensor log_p = at::log_softmax(logits, 1, at::kFloat);
  const auto sum = [&](const at::Tensor& column) {
    return (column * rows.squeeze(1)).sum(at::kDouble);
  };
  const at::Tensor nll = -sum(log_p.gather(1, ids).squeeze(1));
  at::Tensor divergence = at::zeros_like(nll), loss = nll * (ce * (1 - smoothing));
  if (ce != 0 && smoothing != 0) loss -= sum(log_p.mean(1)) * (ce * smoothing);
  at::Tensor p_teacher;
  if (teacher.defined()) {
    const at::Tensor log_teacher = at::log_softmax(teacher, 1, at::kFloat);
    p_teacher = log_teacher.exp();
    divergence = sum((p_teacher * (log_teacher - log_p)).sum(1));
    loss += divergence * kl;
  }
  const at::Tensor sums = at::stack({loss, nll, divergence, scored.sum().to(at::kDouble)});
  if (gradient == nullptr) return sums;
  at::Tensor g = log_p.exp().mul_(ce + kl);
  if (kl != 0) g.sub_(p_teacher, kl);
  if (ce != 0) {
    if (smoothing != 0) g.sub_(ce * smoothing / static_cast<double>(g.size(1)));
    g.scatter_add_(1, ids, at::full_like(ids, -ce * (1 - smoothing), g.options()));
  }
  *gradient = g.mul_(rows);
  return sums;
}

at::Tensor chunked_loss(const Runner& student, Hidden& hidden, const Runner& teacher,
                        Hidden* teacher_hidden, const at::Tensor& targets, bool positionwise,
                        const LossOptions& options, bool backward, double scale) {
  const int64_t length = hidden.x.size(1), rows = hidden.x.size(0);
  const int64_t fitting = options.chunk_bytes / (4 * rows * classes(student));
  const int64_t step = positionwise ? std::clamp<int64_t>(fitting, 1, length) : length;
  at::Tensor sums = no_sums(hidden.x.device());
  Collected collected;
  for (int64_t first = 0; first < length; first += step) {
    const int64_t count = std::min(step, length - first);
    const at::Tensor wanted =
        (positionwise ? targets.narrow(1, first, count) : targets).reshape({-1});
    at::Tensor expected;
    if (teacher) {
      const at::NoGradGuard no_gradients;
      Hidden part = slice(*teacher_hidden, first, count, false);
      expected = flat_logits(teacher, part);
    }
    Hidden part = slice(hidden, first, count, backward);
    const at::Tensor logits = flat_logits(student, part);
    at::Tensor gradient;
    sums += position_losses(logits, expected, wanted, options, backward ? &gradient : nullptr);
    if (!backward || !logits.requires_grad()) continue;
    torch::autograd::backward({logits}, {gradient.mul_(scale).to(logits.scalar_type())});
    collected.take(part);
  }
  if (backward) collected.backward(hidden);
  return sums;
}

}  // namespace octet
