#include "finetune/augment.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"

namespace octet {
namespace {

// Row and column are told by the value, the channel by its sign.
at::Tensor numbered(int64_t count) {
  const at::Tensor plane = at::arange(1.0, 24 * 36 + 1.0).view({1, 24, 36});
  return at::cat({plane, -plane}).unsqueeze(0).repeat({count, 1, 1, 1}).to(at::kFloat);
}

TEST(Augmentation, IsParsedByName) {
  const Augmentation all = parse_augmentation("erase,crop,flip");
  EXPECT_TRUE(all.crop && all.flip && all.erase);
  EXPECT_TRUE(parse_augmentation("flip").flip);
  EXPECT_FALSE(parse_augmentation("flip").crop);
  EXPECT_FALSE(parse_augmentation("none").any());
  for (const char* wrong : {"", "rotate", "crop,", "crop,crop", "crop flip"}) {
    EXPECT_THROW(parse_augmentation(wrong), UsageError) << wrong;
  }
}

TEST(Augmentation, NoneLeavesThePixels) {
  const at::Tensor pixels = numbered(3);
  EXPECT_TRUE(at::equal(augment(pixels, {}, 1, 2), pixels));
}

TEST(Augmentation, DependsOnSeedAndPlaceAlone) {
  const at::Tensor pixels = numbered(40);
  const Augmentation all{true, true, true};
  const at::Tensor once = augment(pixels, all, 1, 2);
  EXPECT_TRUE(at::equal(augment(pixels, all, 1, 2), once));
  EXPECT_TRUE(at::equal(augment(pixels.narrow(0, 0, 7), all, 1, 2), once.narrow(0, 0, 7)));
  EXPECT_TRUE(at::equal(augment(pixels.narrow(0, 7, 9), all, 1, 9), once.narrow(0, 7, 9)));
  EXPECT_FALSE(at::equal(augment(pixels, all, 2, 2), once));
  EXPECT_FALSE(at::equal(augment(pixels, all, 1, 3), once));
  EXPECT_FALSE(at::equal(once[0], once[1]));
}

TEST(Augmentation, FlipsHalfOfTheImages) {
  const at::Tensor pixels = numbered(400);
  const at::Tensor out = augment(pixels, {false, true, false}, 5, 0);
  int flipped = 0;
  for (int64_t i = 0; i < 400; ++i) {
    const bool same = at::equal(out[i], pixels[i]);
    EXPECT_TRUE(same || at::equal(out[i], pixels[i].flip({2})));
    flipped += same ? 0 : 1;
  }
  EXPECT_NEAR(flipped, 200, 50);
}

TEST(Augmentation, CropMovesAndContinuesTheEdges) {
  const at::Tensor pixels = numbered(200);
  const at::Tensor out = augment(pixels, {true, false, false}, 5, 0);
  std::set<std::pair<int64_t, int64_t>> seen;
  for (int64_t i = 0; i < 200; ++i) {
    const auto center = static_cast<int64_t>(out[i][0][12][18].item<float>()) - 1;
    const int64_t down = center / 36 - 12, right = center % 36 - 18;
    EXPECT_LE(std::abs(down), 2);
    EXPECT_LE(std::abs(right), 3);
    seen.insert({down, right});
    const at::Tensor rows = (at::arange(24) + down).clamp(0, 23);
    const at::Tensor columns = (at::arange(36) + right).clamp(0, 35);
    EXPECT_TRUE(at::equal(out[i], pixels[i].index_select(1, rows).index_select(2, columns)));
  }
  EXPECT_GT(seen.size(), 30U);  // of 5 * 7
}

TEST(Augmentation, ErasesOneRectangleOfSomeImages) {
  const at::Tensor pixels = numbered(400);
  const at::Tensor out = augment(pixels, {false, false, true}, 5, 0);
  int erased = 0;
  for (int64_t i = 0; i < 400; ++i) {
    const at::Tensor gone = out[i].eq(0);
    EXPECT_TRUE(at::equal(gone[0], gone[1]));
    EXPECT_TRUE(at::equal(at::where(gone, pixels[i], out[i]), pixels[i]));
    const int64_t rows = gone[0].any(1).sum().item<int64_t>();
    const int64_t columns = gone[0].any(0).sum().item<int64_t>();
    const int64_t count = gone[0].sum().item<int64_t>();
    EXPECT_EQ(count, rows * columns);
    if (count == 0) continue;
    ++erased;
    EXPECT_GT(count, 0.015 * 24 * 36);
    EXPECT_LT(count, 0.36 * 24 * 36);
  }
  EXPECT_NEAR(erased, 100, 40);
}

}  // namespace
}  // namespace octet
