#include "finetune/augment.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace octet {
namespace {

constexpr double kEraseShare = 0.25, kSmallest = 0.02, kLargest = 0.33, kFlattest = 0.3;

// What happens to one image; sides as of the image.
struct Change {
  int64_t down = 0, right = 0;  // the pixel at (y, x) comes from (y + down, x + right)
  bool flip = false;
  int64_t top = 0, left = 0, height = 0, width = 0;  // erased
};

// Random numbers of one image, counted in a fixed order whatever is asked for.
class Draws {
 public:
  Draws(const Random& random, uint64_t image) : random_(random), next_(image * kPerImage) {}
  double uniform() { return random_.uniform(next_++); }
  int64_t below(int64_t n) {
    return static_cast<int64_t>(random_.below(next_++, static_cast<uint64_t>(n)));
  }
  int64_t within(int64_t most) { return below(2 * most + 1) - most; }

 private:
  static constexpr uint64_t kPerImage = 8;
  const Random& random_;
  uint64_t next_;
};

Change draw(const Augmentation& how, Draws draws, int64_t height, int64_t width) {
  Change change;
  const int64_t down = draws.within((height + 11) / 12), right = draws.within((width + 11) / 12);
  if (how.crop) change.down = down, change.right = right;
  const bool flip = draws.uniform() < 0.5;
  change.flip = how.flip && flip;
  const bool erase = draws.uniform() < kEraseShare;
  const double share = kSmallest + (kLargest - kSmallest) * draws.uniform();
  const double shape = std::exp(std::log(kFlattest) * (1 - 2 * draws.uniform()));
  if (!how.erase || !erase) return change;
  const auto side = [&](double ratio, int64_t limit) {
    const double area = share * static_cast<double>(height * width);
    return std::clamp<int64_t>(std::lround(std::sqrt(area * ratio)), 1, limit);
  };
  change.height = side(shape, height);
  change.width = side(1 / shape, width);
  change.top = draws.below(height - change.height + 1);
  change.left = draws.below(width - change.width + 1);
  return change;
}

void apply(const Change& change, const float* in, int64_t height, int64_t width, float* out) {
  for (int64_t y = 0; y < height; ++y) {
    const float* row = in + std::clamp<int64_t>(y + change.down, 0, height - 1) * width;
    const bool erased_row = y >= change.top && y < change.top + change.height;
    for (int64_t x = 0; x < width; ++x) {
      const int64_t from =
          std::clamp<int64_t>((change.flip ? width - 1 - x : x) + change.right, 0, width - 1);
      const bool erased = erased_row && x >= change.left && x < change.left + change.width;
      out[y * width + x] = erased ? 0 : row[from];
    }
  }
}

}  // namespace

Augmentation parse_augmentation(const std::string& text) {
  Augmentation how;
  if (text == "none") return how;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string word = text.substr(at, end - at);
    bool* chosen = word == "crop"    ? &how.crop
                   : word == "flip"  ? &how.flip
                   : word == "erase" ? &how.erase
                                     : nullptr;
    if (chosen == nullptr || *chosen) {
      throw UsageError(fmt::format("--augment {}", text), "crop, flip and erase, each at most once",
                       "e.g. --augment crop,flip, or none");
    }
    *chosen = true;
    at = end + 1;
  }
  return how;
}

at::Tensor augment(const at::Tensor& pixels, const Augmentation& how, uint64_t seed,
                   uint64_t first) {
  if (!how.any()) return pixels;
  const int64_t channels = pixels.size(1), height = pixels.size(2), width = pixels.size(3);
  const int64_t area = height * width;
  const at::Tensor in = pixels.contiguous();
  at::Tensor out = at::empty_like(in);
  const auto* from = in.const_data_ptr<float>();
  auto* to = out.data_ptr<float>();
  const Random random(seed, "augment");
  at::parallel_for(0, pixels.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t image = begin; image < end; ++image) {
      const Change change =
          draw(how, Draws(random, first + static_cast<uint64_t>(image)), height, width);
      for (int64_t plane = image * channels; plane < (image + 1) * channels; ++plane) {
        apply(change, from + plane * area, height, width, to + plane * area);
      }
    }
  });
  return out;
}

}  // namespace octet
