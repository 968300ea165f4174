// JPEG and PNG files as samples of 8 bits.
#pragma once
#include <string>
#include <string_view>

#include "datasets/images/images.h"

namespace octet {

constexpr int64_t kMostSide = 16384;                     ///< pixels in a row or column
constexpr int64_t kMostPixels = int64_t{1} << 26;        ///< of an image
constexpr uint64_t kMostImageBytes = uint64_t{1} << 26;  ///< of an image file

/// Decodes a JPEG or PNG file, told apart by their first bytes: gray as 1 channel, anything else as
/// red, green and blue. Of PNG, palettes are resolved, 16 bits cut to the upper 8, and transparency
/// and colour profiles ignored. Orientation notes of JPEG are ignored, CMYK is refused. Throws
/// Error naming `path` for anything broken or cut off.
Image decode_image(std::string_view bytes, const std::string& path);

/// The two decoders behind it.
Image decode_png(std::string_view bytes, const std::string& path);
Image decode_jpeg(std::string_view bytes, const std::string& path);

/// "`cause` in PATH", as all errors about an image are said.
[[noreturn]] void refuse_image(const std::string& path, const std::string& cause);

/// Refuses sizes beyond the limits, before memory is taken for them.
void check_size(const std::string& path, int64_t height, int64_t width);

/// An image with room for its pixels, its size checked.
Image blank_image(const std::string& path, int64_t channels, int64_t height, int64_t width);

/// Row y of `image` from interleaved samples.
void put_row(Image& image, int64_t y, const uint8_t* samples);

}  // namespace octet
