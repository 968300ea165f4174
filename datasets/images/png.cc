// libpng reports an error by a jump. Between setjmp and the last call of a stage only plain values
// are made, so the jump passes over no destructor; memory belongs to objects outside.
#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "datasets/images/image_codecs.h"

namespace octet {
namespace {

constexpr png_alloc_size_t kMostChunk = png_alloc_size_t{1} << 23;

struct Source {
  std::string_view left;
  std::array<char, 160> message{};
};

void on_error(png_structp png, png_const_charp message) {
  auto* source = static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source->message.data(), message, source->message.size() - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, size_t size) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (size > source->left.size()) png_error(png, "the file ends early");
  std::memcpy(out, source->left.data(), size);
  source->left.remove_prefix(size);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : source_{bytes, {}} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, on_error, on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::string cause() const { return source_.message.data(); }
  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  int64_t channels() const { return png_get_channels(png_, info_); }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }

  // The header; false on an error.
  bool open() {
    if (info_ == nullptr) return false;
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, &source_, on_read);
    png_set_user_limits(png_, kMostSide, kMostSide);
    png_set_chunk_malloc_max(png_, kMostChunk);
    png_set_chunk_cache_max(png_, 128);
    png_read_info(png_, info_);
    return true;
  }

  // Gray or RGB of 8 bits from here on.
  bool convert() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    const int depth = png_get_bit_depth(png_, info_), type = png_get_color_type(png_, info_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png_);
    if (depth == 16) png_set_strip_16(png_);
    if ((type & PNG_COLOR_MASK_ALPHA) != 0) png_set_strip_alpha(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  // All rows, and the file to its end.
  bool read(uint8_t** rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

 private:
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Image decode_png(std::string_view bytes, const std::string& path) {
  Reader reader(bytes);
  const auto check = [&](bool good) {
    if (!good) refuse_image(path, fmt::format("a broken PNG image ({})", reader.cause()));
  };
  check(reader.open());
  const int64_t height = reader.height(), width = reader.width();
  check_size(path, height, width);
  check(reader.convert());
  const int64_t channels = reader.channels();
  if ((channels != 1 && channels != 3) ||
      reader.row_bytes() != static_cast<size_t>(channels * width)) {
    refuse_image(path, fmt::format("a PNG image of {} channels", channels));
  }
  Image image = blank_image(path, channels, height, width);
  std::vector<uint8_t> samples(reader.row_bytes() * static_cast<size_t>(height));
  std::vector<uint8_t*> rows;
  for (int64_t y = 0; y < height; ++y)
    rows.push_back(samples.data() + reader.row_bytes() * static_cast<size_t>(y));
  check(reader.read(rows.data()));
  for (int64_t y = 0; y < height; ++y) put_row(image, y, rows[static_cast<size_t>(y)]);
  return image;
}

}  // namespace octet
