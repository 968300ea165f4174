#include "datasets/images/image_codecs.h"

#include <fmt/format.h>

#include "core/error.h"

namespace octet {

void refuse_image(const std::string& path, const std::string& cause) {
  throw Error(fmt::format("{} in {}", cause, path), "a whole JPEG or PNG image",
              "replace or remove that file");
}

void check_size(const std::string& path, int64_t height, int64_t width) {
  if (height < 1 || width < 1 || height > kMostSide || width > kMostSide ||
      height * width > kMostPixels) {
    refuse_image(path, fmt::format("{} x {} pixels (at most {} a side, {} in all)", width, height,
                                   kMostSide, kMostPixels));
  }
}

Image blank_image(const std::string& path, int64_t channels, int64_t height, int64_t width) {
  check_size(path, height, width);
  Image image{channels, height, width, {}};
  image.pixels.resize(static_cast<size_t>(channels * height * width));
  return image;
}

void put_row(Image& image, int64_t y, const uint8_t* samples) {
  for (int64_t c = 0; c < image.channels; ++c) {
    uint8_t* row = image.pixels.data() + (c * image.height + y) * image.width;
    for (int64_t x = 0; x < image.width; ++x) row[x] = samples[x * image.channels + c];
  }
}

Image decode_image(std::string_view bytes, const std::string& path) {
  constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n", kJpeg = "\xFF\xD8\xFF";
  if (bytes.empty()) refuse_image(path, "0 bytes");
  if (bytes.starts_with(kPng)) return decode_png(bytes, path);
  if (bytes.starts_with(kJpeg)) return decode_jpeg(bytes, path);
  refuse_image(path, "neither a JPEG nor a PNG image");
}

}  // namespace octet
