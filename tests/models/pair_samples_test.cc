#include "models/data/pair_samples.h"
#include "models/data/open_samples.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "models/source_model.h"
#include "tests/models/marian_toys.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

struct Toy {
  fs::path path = fs::path(testing::TempDir()) / ("octet-pairs-" + std::to_string(getpid()));
  Toy() {
    write_toy_marian(path);
    std::ofstream(path / "en")
        << "A man in a blue shirt.\nHello\nThis is the license of the work.\n";
    std::ofstream(path / "de") << "Ein Mann.\nHallo, ihr jungen Leute und Kinder\nDas ist es.\n";
  }
  ~Toy() { fs::remove_all(path); }
  std::string data() const {
    return "parallel:" + (path / "en").string() + "," + (path / "de").string();
  }
};

std::vector<int64_t> row(const at::Tensor& ids, int64_t i, int64_t count) {
  const at::Tensor values = ids[i].narrow(0, 0, count).contiguous();
  return {values.data_ptr<int64_t>(), values.data_ptr<int64_t>() + count};
}

TEST(PairSamplesOracle, ShiftsPadsAndMasks) {
  const Toy toy;
  const SourceModel model(toy.path);
  const ModelConfig& config = model.config();
  const MarianTokenizer tokenizer = open_marian_tokenizer(model);
  const auto samples = open_samples(model, toy.data(), Split::kTrain, 0);
  ASSERT_EQ(samples->size(), 3);
  const auto source = tokenizer.encode("Hello");
  const auto target = tokenizer.encode_target("Hallo, ihr jungen Leute und Kinder");
  EXPECT_EQ(samples->length(1), std::ssize(target));
  const int64_t both[] = {1, 0};
  const TaskBatch batch = samples->batch(both);
  const int64_t s = std::ssize(source), t = std::ssize(target);
  EXPECT_EQ(row(batch.inputs.ids, 0, s), source);
  EXPECT_EQ(row(batch.targets, 0, t), target);
  EXPECT_EQ(batch.inputs.target_ids[0][0].item<int64_t>(), config.decoder_start.value());
  EXPECT_EQ(row(batch.inputs.target_ids.narrow(1, 1, t - 1), 0, t - 1),
            std::vector<int64_t>(target.begin(), target.end() - 1));
  const at::Tensor short_row = batch.inputs.mask[0];
  EXPECT_EQ(batch.inputs.mask.scalar_type(), at::kBool);
  EXPECT_EQ(short_row.sum().item<int64_t>(), s);
  EXPECT_TRUE(short_row.narrow(0, 0, s).all().item<bool>());
  EXPECT_GT(batch.inputs.ids.size(1), s) << "the other sentence is longer";
  EXPECT_TRUE(batch.inputs.ids[0]
                  .narrow(0, s, batch.inputs.ids.size(1) - s)
                  .eq(config.pad.value())
                  .all()
                  .item<bool>());
  const int64_t other = batch.inputs.target_mask[1].sum().item<int64_t>();
  EXPECT_LT(other, t);
  EXPECT_TRUE(batch.targets[1].narrow(0, other, t - other).eq(kNoTarget).all().item<bool>());
}

TEST(PairSamplesOracle, CutOffAtLengthKeepsEos) {
  const Toy toy;
  const SourceModel model(toy.path);
  const auto samples = open_samples(model, toy.data(), Split::kTrain, 4);
  const int64_t all[] = {0, 1, 2};
  const TaskBatch batch = samples->batch(all);
  EXPECT_EQ(batch.inputs.ids.size(1), 4);
  EXPECT_EQ(batch.targets.size(1), 4);
  EXPECT_EQ(batch.inputs.ids[0][3].item<int64_t>(), 0);
  EXPECT_EQ(batch.targets[1][3].item<int64_t>(), 0);
  EXPECT_THROW(open_samples(model, toy.data(), Split::kTrain, 1), UsageError);
  EXPECT_EQ(samples->hash(), open_samples(model, toy.data(), Split::kTest, 9)->hash());
}

TEST(PairSamplesOracle, RefusesOtherData) {
  const Toy toy;
  const SourceModel model(toy.path);
  EXPECT_THROW(open_samples(model, (toy.path / "en").string(), Split::kTrain, 0), UsageError);
}

}  // namespace
}  // namespace octet::test
