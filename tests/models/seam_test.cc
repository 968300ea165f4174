// The seam proof: one model, run whole, by block, observed, mixed and differentiated, is one model.
#include <gtest/gtest.h>

#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adamw.h>

#include <filesystem>
#include <set>

#include "models/run/hidden_store.h"
#include "tests/device.h"
#include "tests/models/toys.h"

#include <c10/core/GradMode.h>

namespace octet::test {
namespace {

Toy toy_at(size_t which, at::Device device, at::ScalarType compute) {
  Toy toy = toys()[which];
  toy.device = device, toy.compute = compute;
  return toy;
}

class Seam : public testing::TestWithParam<std::tuple<std::string, size_t>> {
 protected:
  void SetUp() override { device_ = device_under_test(std::get<0>(GetParam())); }
  Toy toy() const { return toy_at(std::get<1>(GetParam()), device_, at::kFloat); }
  // What float32 may differ by where a GPU adds in another order or fuses: each of about eight sums
  // of at most 48 terms a block errs by half a unit a term.
  double tolerance() const {
    return device_.is_cpu() ? 1e-5 : 8.0 * toy().model->topology().blocks * 48 * 0x1p-24;
  }
  // A fused producer and the ops that stand in for it are the same bits on the CPU alone.
  bool same(const at::Tensor& a, const at::Tensor& b) const {
    return device_.is_cpu() ? at::equal(a, b) : at::allclose(a, b, tolerance(), tolerance());
  }

  at::Device device_ = at::kCPU;
};

TEST_P(Seam, BlockByBlockEqualsWholeBitForBit) {
  const at::NoGradGuard no_gradients;
  const Toy t = toy();
  Executor whole = t.executor();
  const at::Tensor expected = forward(*t.model, whole, t.batch());

  const std::filesystem::path folder =
      testing::TempDir() + "octet-hidden-" + std::get<0>(GetParam()) + t.name;
  HiddenStore store(folder, device_, {});
  Executor streamed = t.executor(false);
  streamed.load(kOutside);
  store.put(0, 0, t.model->begin(streamed, t.batch(), nullptr));
  streamed.release(kOutside);
  for (int block = 0; block < t.model->topology().blocks; ++block) {
    streamed.load(block);
    Hidden hidden = store.get(0);
    t.model->block(streamed, block, hidden, nullptr);
    store.put(0, block + 1, hidden);
    streamed.release(block);
    EXPECT_FALSE(streamed.loaded(block));
  }
  streamed.load(kOutside);
  Hidden last = store.get(0);
  EXPECT_TRUE(at::equal(t.model->end(streamed, last), expected));
  std::filesystem::remove_all(folder);
}

TEST_P(Seam, CachedDecodingEqualsFullForward) {
  const at::NoGradGuard no_gradients;
  const Toy t = toy();
  Executor executor = t.executor();
  Batch batch = t.batch();
  const at::Tensor full = forward(*t.model, executor, batch);
  State state = t.model->new_state(executor, 2, 16);
  std::vector<at::Tensor> steps;
  const at::Tensor ids = t.encoder_decoder ? batch.target_ids : batch.ids;
  for (int64_t i = 0; i < ids.size(1); ++i) {
    Batch step = batch;
    (t.encoder_decoder ? step.target_ids : step.ids) = ids.narrow(1, i, 1);
    steps.push_back(forward(*t.model, executor, step, &state));
  }
  EXPECT_EQ(state.used, ids.size(1));
  EXPECT_TRUE(at::allclose(at::cat(steps, 1), full, tolerance(), tolerance()));
  // A prompt in one go and the rest one by one gives the same.
  State again = t.model->new_state(executor, 2, 16);
  if (!t.encoder_decoder) {
    Batch prompt = batch;
    prompt.ids = ids.narrow(1, 0, 5);
    forward(*t.model, executor, prompt, &again);
    prompt.ids = ids.narrow(1, 5, 4);
    EXPECT_TRUE(at::allclose(forward(*t.model, executor, prompt, &again), full.narrow(1, 5, 4),
                             tolerance(), tolerance()));
  }
}

struct Recorder : SiteObserver {
  std::map<Id, at::Tensor> inputs, outputs;
  void on_input(Id site, const at::Tensor& x) override { inputs[site] = x.clone(); }
  void on_output(Id site, const at::Tensor& y) override { outputs[site] = y.clone(); }
};

TEST_P(Seam, ObserverSeesEverySiteAndChangesNothing) {
  const at::NoGradGuard no_gradients;
  const Toy t = toy();
  Executor executor = t.executor();
  const at::Tensor plain = forward(*t.model, executor, t.batch());
  Recorder recorder;
  executor.observe(&recorder);
  EXPECT_TRUE(same(forward(*t.model, executor, t.batch()), plain));
  const auto& sites = t.model->topology().sites;
  ASSERT_EQ(recorder.inputs.size(), sites.size());
  for (size_t i = 0; i < sites.size(); ++i) {
    const Id id = static_cast<Id>(i);
    EXPECT_EQ(recorder.inputs[id].size(1), sites[i].k()) << sites[i].name;
    EXPECT_EQ(recorder.outputs[id].size(1), sites[i].n()) << sites[i].name;
    const bool encoder = t.encoder_decoder && (sites[i].block == 0 || sites[i].block == 1);
    const bool memory = sites[i].name.ends_with("cross_kv");
    const int64_t tokens = !t.encoder_decoder ? 18 : encoder || memory ? 15 : 12;
    EXPECT_EQ(recorder.inputs[id].size(0), tokens) << sites[i].name << ": padding is removed";
  }
}

// A scheme that exists only here: float weights, inputs rounded to INT8 per token.
class RoundedInputLinear : public Linear {
 public:
  RoundedInputLinear(const Site& site, WeightSource& source, at::Device device)
      : weights_(load_dense(site, source, at::kFloat, device)) {}
  Format wants() const override { return Format::kInt8Token; }
  at::Tensor forward(const Activation& input) override {
    std::vector<int64_t> sizes = input.leading;
    sizes.push_back(weights_.weight.size(0));
    const at::Tensor x = input.q.to(at::kFloat) * input.scale.unsqueeze(1);
    return at::linear(x, weights_.weight, weights_.bias).view(sizes);
  }
  void parameters(std::vector<Parameter>&) override {}
  void warm_up(int64_t) override {}
  uint64_t bytes() const override { return weights_.weight.nbytes(); }

 private:
  SiteWeights weights_;
};

TEST_P(Seam, AnotherSchemeOnOneSiteWorksBesideFloat) {
  const at::NoGradGuard no_gradients;
  const Toy t = toy();
  Executor executor = t.executor();
  const at::Tensor plain = forward(*t.model, executor, t.batch());
  const auto& sites = t.model->topology().sites;
  for (size_t i = 0; i < sites.size(); ++i) {
    Executor mixed = t.executor();
    mixed.replace(static_cast<Id>(i),
                  std::make_unique<RoundedInputLinear>(sites[i], *t.source, device_));
    const at::Tensor out = forward(*t.model, mixed, t.batch());
    EXPECT_FALSE(at::equal(out, plain)) << sites[i].name;
    EXPECT_TRUE(at::allclose(out, plain, 0.1, 0.3)) << sites[i].name;
  }
}

at::Tensor loss_of(const Toy& t, Executor& executor) {
  const at::Tensor logits = forward(*t.model, executor, t.batch());
  return at::log_softmax(logits, -1).square().mean();
}

// A double-precision executor makes finite differences exact enough to judge gradients.
TEST_P(Seam, GradientsEqualFiniteDifferences) {
  const Toy t = toy_at(std::get<1>(GetParam()), device_, at::kDouble);
  Executor executor = t.executor();
  executor.train(true);
  at::manual_seed(0);
  auto parameters = executor.parameters();
  std::vector<at::Tensor> leaves;
  for (auto& p : parameters) leaves.push_back(p.leaf.requires_grad_(true));
  const auto seeded_loss = [&] {
    at::manual_seed(7);  // the same dropout each time
    return loss_of(t, executor);
  };
  const auto gradients = torch::autograd::grad({seeded_loss()}, leaves);
  const at::NoGradGuard no_gradients;
  for (size_t i = 0; i < leaves.size(); ++i) {
    const int64_t at_element = (static_cast<int64_t>(i) * 13) % leaves[i].numel();
    at::Tensor element = leaves[i].view({-1})[at_element];
    const double kept = element.item<double>(), step = 1e-5;
    element.fill_(kept + step);
    const double above = seeded_loss().item<double>();
    element.fill_(kept - step);
    const double below = seeded_loss().item<double>();
    element.fill_(kept);
    const double expected = (above - below) / (2 * step),
                 got = gradients[i].view({-1})[at_element].item<double>();
    EXPECT_NEAR(got, expected, 1e-3 * std::abs(expected) + 2e-6) << parameters[i].name;
  }
}

TEST_P(Seam, AdamWMovesExactlyTheChosenLeaves) {
  const Toy t = toy();
  Executor executor = t.executor();
  executor.train(true);
  auto parameters = executor.parameters();
  std::vector<at::Tensor> before, chosen;
  for (auto& p : parameters) {
    before.push_back(p.leaf.clone());
    if (p.kind == Parameter::Kind::kWeight && p.name.find("o") != std::string::npos) {
      chosen.push_back(p.leaf.requires_grad_(true));
    }
  }
  ASSERT_FALSE(chosen.empty());
  torch::optim::AdamW optimizer(chosen, torch::optim::AdamWOptions(1e-2).weight_decay(0));
  loss_of(t, executor).backward();
  optimizer.step();
  for (size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_EQ(!at::equal(before[i], parameters[i].leaf), parameters[i].leaf.requires_grad())
        << parameters[i].name;
  }
}

TEST_P(Seam, ParametersAreNamedOnceInFixedOrder) {
  const Toy t = toy();
  Executor first = t.executor(), second = t.executor();
  const auto a = first.parameters(), b = second.parameters();
  ASSERT_EQ(a.size(), b.size());
  std::set<std::string> names;
  int64_t elements = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_TRUE(names.insert(a[i].name).second) << a[i].name;
    elements += a[i].leaf.numel();
  }
  EXPECT_EQ(elements, parameter_count(t.model->topology()));
  EXPECT_FALSE(names.contains("lm_head.weight")) << "a tied head is the table's leaf";
}

const auto kEveryToy = testing::Values(size_t{0}, size_t{1}, size_t{2});
const auto kToyName = [](const auto& info) { return toys()[std::get<1>(info.param)].name; };
INSTANTIATE_TEST_SUITE_P(Cpu, Seam, testing::Combine(testing::Values("cpu"), kEveryToy), kToyName);
INSTANTIATE_TEST_SUITE_P(Gpu, Seam, testing::Combine(testing::Values("cuda"), kEveryToy), kToyName);

class SeamPrecision : public testing::TestWithParam<std::tuple<Place, size_t>> {
 protected:
  void SetUp() override { device_ = device_under_test(std::get<0>(GetParam()).device); }
  at::Device device_ = at::kCPU;
};

TEST_P(SeamPrecision, AddsItsRoundingsAndNoMore) {
  const at::NoGradGuard no_gradients;
  const auto& [place, which] = GetParam();
  const Toy wide = toy_at(which, at::kCPU, at::kFloat), t = toy_at(which, device_, place.compute);
  Executor reference = wide.executor(), executor = t.executor();
  const at::Tensor expected = forward(*wide.model, reference, wide.batch());
  const at::Tensor got = forward(*t.model, executor, t.batch());
  ASSERT_EQ(got.scalar_type(), place.compute);
  ASSERT_EQ(got.device(), device_);
  const double error =
      (got.to(at::kCPU, at::kFloat) - expected).square().mean().sqrt().item<double>() /
      expected.std().item<double>();
  // Four weights and about twelve values of each block are rounded, and the blocks behind pass the
  // errors on, some of them larger. Sums are float32's, whose own roundings count in float32 alone:
  // at most 48 to a sum.
  const double each = place.compute == at::kFloat ? 48 : 1;
  EXPECT_LT(error, 4 * rounding_noise(place.compute, each * 16 * t.model->topology().blocks));
  if (place.compute != at::kFloat) {
    EXPECT_GT(error, 0.1 * unit_roundoff(place.compute)) << "another type was computed in";
  }
}

const auto kPrecisionName = [](const auto& info) {
  return name_of(std::get<0>(info.param)) + "_" + toys()[std::get<1>(info.param)].name;
};
INSTANTIATE_TEST_SUITE_P(Cpu, SeamPrecision,
                         testing::Combine(testing::Values(Place{"cpu", at::kHalf},
                                                          Place{"cpu", at::kBFloat16}),
                                          kEveryToy),
                         kPrecisionName);
INSTANTIATE_TEST_SUITE_P(Gpu, SeamPrecision,
                         testing::Combine(testing::Values(Place{"cuda", at::kFloat},
                                                          Place{"cuda", at::kHalf},
                                                          Place{"cuda", at::kBFloat16}),
                                          kEveryToy),
                         kPrecisionName);

}  // namespace
}  // namespace octet::test
