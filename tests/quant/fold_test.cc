// A fold is a source over a source, written once: the Executor sees it through the adaptor, and
// the stream writer by rows.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/io/input_file.h"
#include "models/run/model.h"
#include "models/source_model.h"
#include "models/weights/weight_sources.h"
#include "quant/stream/stream_writer.h"
#include "tests/core/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using Tensors = std::map<std::string, at::Tensor>;

constexpr const char* kUp = "model.layers.0.mlp.up_proj.weight";
constexpr const char* kDown = "model.layers.0.mlp.down_proj.weight";
constexpr int64_t kChannels = 48;

float factor(int64_t channel) {
  return std::ldexp(1.0F, static_cast<int>(channel % 5) - 2);
}

/// One tensor (float32) with its columns scaled, the others as they are.
class ScaledColumns : public TensorSource {
 public:
  ScaledColumns(std::shared_ptr<TensorSource> base, std::string name)
      : base_(std::move(base)), name_(std::move(name)) {
    for (const TensorInfo& info : base_->tensors()) add(info);
  }
  std::shared_ptr<const TensorReader> open(const std::string& name) override {
    if (name != name_) return base_->open(name);
    return std::make_shared<Reader>(base_->open(name), row_bytes(info(name)));
  }

 private:
  class Reader : public RowReader {
   public:
    Reader(std::shared_ptr<const TensorReader> base, uint64_t bytes)
        : RowReader(bytes), base_(std::move(base)) {}

   private:
    void read_rows(uint64_t first, std::span<std::byte> out) const override {
      base_->read(first * row_bytes(), out);
      for (size_t i = 0; i < out.size() / sizeof(float); ++i) {
        float value = 0;
        std::memcpy(&value, out.data() + i * sizeof value, sizeof value);
        value *= factor(static_cast<int64_t>(i % (row_bytes() / sizeof value)));
        std::memcpy(out.data() + i * sizeof value, &value, sizeof value);
      }
    }
    std::shared_ptr<const TensorReader> base_;
  };

  std::shared_ptr<TensorSource> base_;
  std::string name_;
};

at::Tensor factors() {
  at::Tensor made = at::empty({kChannels});
  for (int64_t i = 0; i < kChannels; ++i) made[i].fill_(factor(i));
  return made;
}

class Fold : public ::testing::Test {
 protected:
  Fold()
      : config_(parse_config(toy_config_json(), "toy")),
        model_(make_model(config_)),
        plain_(random_tensors(model_->topology(), 3, 0.2)) {}

  at::Tensor logits(std::shared_ptr<WeightSource> source) const {
    const at::NoGradGuard no_gradients;
    Executor executor(model_->topology(), std::move(source), float_factory(at::kFloat, at::kCPU));
    executor.load_all();
    Batch batch;
    batch.ids = at::arange(12).view({1, 12});
    return forward(*model_, executor, batch);
  }
  /// The source under the fold: rows of `up` divided by what the fold multiplies `down` with.
  std::shared_ptr<TensorSource> folded() const {
    Tensors tensors = plain_;
    tensors[kUp] = tensors[kUp] / factors().unsqueeze(1);
    return std::make_shared<ScaledColumns>(std::make_shared<MemoryTensors>(tensors), kDown);
  }
  /// The same values without a fold.
  std::shared_ptr<TensorSource> explicitly() const {
    Tensors tensors = plain_;
    tensors[kUp] = tensors[kUp] / factors().unsqueeze(1);
    tensors[kDown] = tensors[kDown] * factors();
    return std::make_shared<MemoryTensors>(tensors);
  }
  /// All tensors as they are, and codes of the folded one beside.
  std::filesystem::path write(const std::string& name, TensorSource& source) {
    std::vector<StreamItem> items;
    for (const TensorInfo& info : source.tensors()) {
      items.push_back({info.name, info.name, StreamItem::Action::kCopy, {}, {}});
    }
    items.push_back(
        {kDown, "codes", StreamItem::Action::kCodes, {Dtype::kI8, 0, false, Dtype::kF32}, {}});
    std::filesystem::create_directories(folder_ / name);
    write_stream(folder_ / name, source, items, {}, context_);
    return folder_ / name;
  }

  testing::TempDir folder_;
  ModelConfig config_;
  std::unique_ptr<Model> model_;
  Tensors plain_;
  Log log_{true};
  StopToken stop_;
  Context context_{log_, stop_, "cpu", 2};
};

TEST_F(Fold, IsWhatAnExecutorRuns) {
  const at::Tensor before = logits(memory_weights(plain_));
  // Powers of two: what the columns gain and the rows above lose is equal to the bit.
  EXPECT_TRUE(at::equal(logits(std::make_shared<TensorWeights>(folded())), before));
  const auto alone =
      std::make_shared<ScaledColumns>(std::make_shared<MemoryTensors>(plain_), kDown);
  EXPECT_FALSE(at::equal(logits(std::make_shared<TensorWeights>(alone)), before));
}

TEST_F(Fold, IsWhatTheStreamWriterWrites) {
  const auto through = write("folded", *folded()), without = write("explicit", *explicitly());
  EXPECT_EQ(read_file(through / "model.safetensors"), read_file(without / "model.safetensors"));
  const SourceModel written(through);
  EXPECT_TRUE(at::equal(written.weights()->get(kDown).dense, plain_[kDown] * factors()));
  EXPECT_TRUE(at::equal(logits(written.weights()), logits(memory_weights(plain_))));
}

TEST_F(Fold, KeepsTheNameAndThePlaceOfWhatIsNotFinite) {
  plain_[kDown].view({-1})[77].fill_(std::nanf(""));
  const std::string place = std::string("nan at element 77 of tensor ") + kDown;
  TensorWeights weights(folded());
  EXPECT_THAT(error_of([&] { weights.get(kDown); }), HasSubstr(place));
  EXPECT_THAT(error_of([&] { write("damaged", *folded()); }), HasSubstr(place));
}

}  // namespace
}  // namespace octet::test
