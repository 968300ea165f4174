#include "models/data/image_resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace octet {
namespace {

// Weights are integers of this many fractional bits: 8 bits of pixel and 2 of headroom fit 32.
constexpr int kBits = 22;

double bilinear(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

// Keys' cubic with a = -1/2.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// Weighted source pixels of one target pixel.
struct Window {
  int64_t first;
  std::vector<int64_t> weights;
};

std::vector<Window> windows(int64_t from, int64_t to, Resample resample) {
  const bool cubic = resample == Resample::kBicubic;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0), reach = (cubic ? 2.0 : 1.0) * stretch;
  std::vector<Window> made;
  for (int64_t target = 0; target < to; ++target) {
    const double center = (static_cast<double>(target) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(center - reach + 0.5));
    const auto end = std::min<int64_t>(from, static_cast<int64_t>(center + reach + 0.5));
    std::vector<double> real;
    double sum = 0;
    for (int64_t x = first; x < end; ++x) {
      const double distance = (static_cast<double>(x) - center + 0.5) * (1.0 / stretch);
      real.push_back(cubic ? bicubic(distance) : bilinear(distance));
      sum += real.back();
    }
    Window window{first, {}};
    for (const double weight : real) {
      const double fixed = weight / sum * (int64_t{1} << kBits);
      window.weights.push_back(static_cast<int64_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
    made.push_back(std::move(window));
  }
  return made;
}

// Lines of `from` pixels, `step` apart, become lines of windows.size() pixels.
void resample_line(const uint8_t* in, int64_t step, const std::vector<Window>& windows,
                   uint8_t* out) {
  for (size_t target = 0; target < windows.size(); ++target) {
    const Window& window = windows[target];
    int64_t sum = int64_t{1} << (kBits - 1);
    for (size_t i = 0; i < window.weights.size(); ++i) {
      sum += window.weights[i] * in[(window.first + static_cast<int64_t>(i)) * step];
    }
    out[static_cast<int64_t>(target) * step] =
        static_cast<uint8_t>(std::clamp<int64_t>(sum >> kBits, 0, 255));
  }
}

Image empty_image(int64_t channels, int64_t height, int64_t width) {
  return {channels, height, width, std::vector<uint8_t>(channels * height * width)};
}

Image resize_columns(const Image& image, int64_t width, Resample resample) {
  const auto made = windows(image.width, width, resample);
  Image out = empty_image(image.channels, image.height, width);
  for (int64_t line = 0; line < image.channels * image.height; ++line) {
    resample_line(&image.pixels[line * image.width], 1, made, &out.pixels[line * width]);
  }
  return out;
}

Image resize_rows(const Image& image, int64_t height, Resample resample) {
  const auto made = windows(image.height, height, resample);
  Image out = empty_image(image.channels, height, image.width);
  for (int64_t c = 0; c < image.channels; ++c) {
    for (int64_t x = 0; x < image.width; ++x) {
      resample_line(&image.pixels[c * image.height * image.width + x], image.width, made,
                    &out.pixels[c * height * image.width + x]);
    }
  }
  return out;
}

}  // namespace

Image resize_image(const Image& image, int64_t height, int64_t width, Resample resample) {
  Image out = image;
  if (image.width != width) out = resize_columns(out, width, resample);
  if (image.height != height) out = resize_rows(out, height, resample);
  return out;
}

Image with_channels(const Image& image, int64_t channels) {
  if (image.channels == channels) return image;
  const int64_t area = image.height * image.width;
  Image out = empty_image(channels, image.height, image.width);
  if (image.channels == 1 && channels == 3) {
    for (int64_t c = 0; c < 3; ++c) {
      std::copy(image.pixels.begin(), image.pixels.end(), out.pixels.begin() + c * area);
    }
    return out;
  }
  if (image.channels == 3 && channels == 1) {
    for (int64_t i = 0; i < area; ++i) {
      const uint32_t red = image.pixels[i], green = image.pixels[area + i],
                     blue = image.pixels[2 * area + i];
      out.pixels[i] =
          static_cast<uint8_t>((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16);
    }
    return out;
  }
  throw Error(fmt::format("an image of {} channels", image.channels),
              fmt::format("{} channels", channels),
              "only gray and RGB images are converted to each other");
}

}  // namespace octet
