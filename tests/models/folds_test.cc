// Every fold of every architecture is exact in float64, and would not be with other rows or
// readers.
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "models/weights/weight_sources.h"
#include "tests/models/architecture_toys.h"

namespace octet::test {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

/// Rows [first, first + size(scale)) of the concatenated outputs of a site, weight and bias.
void divide_rows(Tensors& tensors, const Site& site, int64_t first, const at::Tensor& scale) {
  int64_t begin = 0;
  for (size_t i = 0; i < site.matrices.size(); ++i) {
    const Matrix& matrix = site.matrices[i];
    const int64_t low = std::max(begin, first);
    const int64_t high = std::min(begin + matrix.n, first + scale.size(0));
    if (low < high) {
      const at::Tensor part = scale.narrow(0, low - first, high - low);
      tensors.at(site.weight_name(i)).narrow(0, low - begin, high - low).div_(part.unsqueeze(1));
      if (matrix.bias) {
        tensors.at(matrix.name + ".bias").narrow(0, low - begin, high - low).div_(part);
      }
    }
    begin += matrix.n;
  }
}

void apply_fold(Tensors& tensors, const Topology& topology, const Fold& fold,
                const at::Tensor& scale) {
  if (fold.norm >= 0) {
    const Norm& norm = topology.norms[fold.norm];
    tensors.at(norm.name + ".weight").div_(scale);
    if (!norm.rms) tensors.at(norm.name + ".bias").div_(scale);
  } else {
    divide_rows(tensors, topology.sites[fold.linear], fold.first_row, scale);
  }
  for (const Id reader : fold.into) {
    const Site& site = topology.sites[reader];
    std::vector<int64_t> rows;
    for (int64_t c = 0; c < site.k(); ++c) rows.push_back(fold.row_of(c));
    const at::Tensor columns = scale.index_select(0, at::tensor(rows, at::kLong));
    for (size_t i = 0; i < site.matrices.size(); ++i) tensors.at(site.weight_name(i)).mul_(columns);
  }
}

/// A random toy of one row of the registry, in float64.
class Folded {
 public:
  explicit Folded(const ModelConfig& config)
      : config_(config), model_(make_model(config)), plain_(run({})) {}
  const Topology& topology() const { return model_->topology(); }
  /// Largest difference that applying `folds` to the weights makes in the outputs.
  double change(const std::vector<Fold>& folds) const {
    return (run(folds) - plain_).abs().max().item<double>();
  }

 private:
  at::Tensor run(const std::vector<Fold>& folds) const {
    const at::NoGradGuard no_gradients;
    Tensors tensors = random_tensors(topology(), 3, 0.3);
    for (auto& [name, tensor] : tensors) tensor = tensor.to(at::kDouble);
    at::manual_seed(11);
    for (const Fold& fold : folds) {
      apply_fold(tensors, topology(), fold, at::rand({fold.rows}, at::kDouble) * 3.5 + 0.25);
    }
    Executor executor(topology(), memory_weights(std::move(tensors)),
                      float_factory(at::kDouble, at::kCPU), {at::kDouble, at::kCPU, false});
    executor.load_all();
    return forward(*model_, executor, toy_batch(config_));
  }

  ModelConfig config_;
  std::unique_ptr<Model> model_;
  at::Tensor plain_;
};

std::string text(const Topology& topology, const Fold& fold) {
  return fold.norm >= 0 ? topology.norms[fold.norm].name : topology.sites[fold.linear].name;
}

class Folds : public testing::TestWithParam<size_t> {
 protected:
  ModelConfig config() const { return toy_of(architectures()[GetParam()]); }
};

TEST_P(Folds, LieWithinTheirProducerAndFillTheirReaders) {
  const auto model = make_model(config());
  const Topology& t = model->topology();
  ASSERT_FALSE(t.folds.empty());
  for (const Fold& fold : t.folds) {
    SCOPED_TRACE(text(t, fold));
    ASSERT_NE(fold.norm >= 0, fold.linear >= 0);
    EXPECT_GE(fold.first_row, 0);
    EXPECT_LE(fold.first_row + fold.rows,
              fold.norm >= 0 ? t.norms[fold.norm].dim : t.sites[fold.linear].n());
    ASSERT_FALSE(fold.into.empty());
    for (const Id reader : fold.into) {
      const Site& site = t.sites.at(reader);
      EXPECT_EQ(site.k(), fold.rows * fold.repeat);
      EXPECT_TRUE(site.tied_to.empty());
      std::vector<int> reads(static_cast<size_t>(fold.rows));
      for (int64_t c = 0; c < site.k(); ++c) ++reads.at(static_cast<size_t>(fold.row_of(c)));
      EXPECT_EQ(reads, std::vector<int>(static_cast<size_t>(fold.rows), fold.repeat));
    }
  }
}

TEST_P(Folds, AreExact) {
  const Folded toy(config());
  EXPECT_LT(toy.change(toy.topology().folds), 1e-9) << "all together";
  for (const Fold& fold : toy.topology().folds) {
    EXPECT_LT(toy.change({fold}), 1e-9) << text(toy.topology(), fold);
  }
}

// What the test above would say of a fold that names something else.
TEST_P(Folds, WithOtherRowsOrReadersAreNot) {
  const Folded toy(config());
  int shifted = 0, ungrouped = 0;
  for (const Fold& fold : toy.topology().folds) {
    SCOPED_TRACE(text(toy.topology(), fold));
    Fold wrong = fold;
    wrong.into.clear();
    EXPECT_GT(toy.change({wrong}), 1e-6) << "no reader";
    if (fold.first_row > 0) {
      wrong = fold;
      wrong.first_row = fold.first_row - 1;
      EXPECT_GT(toy.change({wrong}), 1e-6) << "one row too early";
      wrong.first_row = 0;
      EXPECT_GT(toy.change({wrong}), 1e-6) << "rows of another matrix";
      ++shifted;
    }
    if (fold.repeat > 1) {
      wrong = fold;
      wrong.head = 1;
      EXPECT_GT(toy.change({wrong}), 1e-6) << "heads side by side";
      wrong.head = fold.rows;
      EXPECT_GT(toy.change({wrong}), 1e-6) << "all heads, then all again";
      ++ungrouped;
    }
  }
  EXPECT_GT(shifted, 0);
  if (config().heads != config().kv_heads) {
    EXPECT_GT(ungrouped, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, Folds, testing::Range<size_t>(0, architectures().size()),
                         [](const auto& info) {
                           return std::string(architectures()[info.param].name);
                         });

// Beside relu no activation of a plain feed-forward network lets a scale pass.
TEST(MarianFolds, OnlyReluLetsAScalePass) {
  ModelConfig config = toy_of(*find_architecture("MarianMTModel"));
  const size_t with_relu = make_model(config)->topology().folds.size();
  config.activation = "swish";
  const Folded toy(config);
  EXPECT_EQ(toy.topology().folds.size() + static_cast<size_t>(config.layers), with_relu);
  EXPECT_LT(toy.change(toy.topology().folds), 1e-9);
  const Topology& t = toy.topology();
  const Fold gone{.linear = site_index(t, "model.encoder.layers.0.fc1"),
                  .rows = config.intermediate,
                  .into = {site_index(t, "model.encoder.layers.0.fc2")}};
  EXPECT_GT(toy.change({gone}), 1e-6);
}

}  // namespace
}  // namespace octet::test
