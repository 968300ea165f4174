#include "finetune/blocks.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>

namespace octet {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The states of the generators that dropout draws from.
class Generators {
 public:
  explicit Generators(at::Device device) {
    generators_.push_back(at::detail::getDefaultCPUGenerator());
    if (device.is_cuda()) generators_.push_back(at::globalContext().defaultGenerator(device));
    for (const at::Generator& generator : generators_) states_.push_back(generator.get_state());
  }
  void restore() {
    for (size_t i = 0; i < generators_.size(); ++i) generators_[i].set_state(states_[i]);
  }

 private:
  std::vector<at::Generator> generators_;
  std::vector<at::Tensor> states_;
};

// What a rerun needs beside the tensors that autograd hands back.
struct Rerun {
  Runner runner;
  int block;
  Hidden fixed;  // rotary and batch: no gradients pass through them
  Generators generators;
  bool gives_delta = false, gives_memory = false;
};

using Parts = std::array<at::Tensor, 3>;  // x, delta, memory

Parts leaves(const Parts& parts) {
  Parts out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].defined()) out[i] = parts[i].detach().requires_grad_(true);
  }
  return out;
}

// With gradients on, also in the forward: the same ops run both times.
Hidden run(const Rerun& rerun, const Parts& parts) {
  const at::AutoGradMode gradients_on(true);
  Hidden hidden = rerun.fixed;
  hidden.x = parts[0], hidden.delta = parts[1], hidden.memory = parts[2];
  rerun.runner.model->block(*rerun.runner.executor, rerun.block, hidden, nullptr);
  return hidden;
}

std::optional<at::Tensor> given(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

// Leaves get their gradients inside backward(); `anchor` only makes autograd call it where no part
// of the input has a gradient.
struct Block : torch::autograd::Function<Block> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& anchor,
                               const std::optional<at::Tensor>& x,
                               const std::optional<at::Tensor>& delta,
                               const std::optional<at::Tensor>& memory,
                               std::shared_ptr<Rerun> rerun) {
    (void)anchor;
    const Parts parts{*x, delta.value_or(at::Tensor()), memory.value_or(at::Tensor())};
    ctx->save_for_backward({parts.begin(), parts.end()});
    const Hidden hidden = run(*rerun, leaves(parts));
    rerun->gives_delta = hidden.delta.defined(), rerun->gives_memory = hidden.memory.defined();
    ctx->saved_data["rerun"] =
        c10::IValue::make_capsule(c10::intrusive_ptr<torch::CustomClassHolder>(
            c10::make_intrusive<Holder>(std::move(rerun))));
    // Copies of what the block only passed on: an output must not share an input's memory.
    const auto fresh = [&](const at::Tensor& out) {
      for (const at::Tensor& part : parts) {
        if (part.defined() && out.data_ptr() == part.data_ptr()) return out.detach().clone();
      }
      return out.detach();
    };
    variable_list out{fresh(hidden.x)};
    if (hidden.delta.defined()) out.push_back(fresh(hidden.delta));
    if (hidden.memory.defined()) out.push_back(fresh(hidden.memory));
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    auto& rerun = static_cast<Holder&>(*ctx->saved_data["rerun"].toCapsule()).rerun;
    const Parts parts = leaves({saved[0], saved[1], saved[2]});
    Generators after(saved[0].device());
    rerun->generators.restore();
    const Hidden hidden = run(*rerun, parts);
    after.restore();
    variable_list outputs, wanted;
    size_t next = 0;
    for (const at::Tensor& out : {hidden.x, hidden.delta, hidden.memory}) {
      if (!out.defined()) continue;
      const at::Tensor& gradient = gradients[next++];
      if (gradient.defined() && out.requires_grad()) {
        outputs.push_back(out), wanted.push_back(gradient);
      }
    }
    if (!outputs.empty()) torch::autograd::backward(outputs, wanted);
    return results(parts);
  }

 private:
  struct Holder : torch::CustomClassHolder {
    explicit Holder(std::shared_ptr<Rerun> held) : rerun(std::move(held)) {}
    std::shared_ptr<Rerun> rerun;
  };
  static variable_list results(const Parts& parts) {
    variable_list out(5);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].defined()) out[i + 1] = parts[i].grad();
    }
    return out;
  }
};

void recomputed_block(const Runner& runner, int i, Hidden& hidden) {
  Hidden fixed;
  fixed.rotary = hidden.rotary, fixed.batch = hidden.batch;
  const auto rerun = std::make_shared<Rerun>(
      Rerun{runner, i, fixed, Generators(runner.executor->options().device), false, false});
  const at::Tensor anchor = at::zeros({1}, hidden.x.options()).requires_grad_(true);
  const variable_list out =
      Block::apply(anchor, given(hidden.x), given(hidden.delta), given(hidden.memory), rerun);
  size_t next = 0;
  hidden.x = out[next++];
  hidden.delta = rerun->gives_delta ? out[next++] : at::Tensor();
  hidden.memory = rerun->gives_memory ? out[next++] : at::Tensor();
}

}  // namespace

Hidden run_blocks(const Runner& runner, const Batch& batch, bool recompute) {
  Hidden hidden = runner.model->begin(*runner.executor, batch, nullptr);
  for (int i = 0; i < runner.model->topology().blocks; ++i) {
    if (recompute && at::GradMode::is_enabled()) {
      recomputed_block(runner, i, hidden);
    } else {
      runner.model->block(*runner.executor, i, hidden, nullptr);
    }
  }
  return hidden;
}

}  // namespace octet
