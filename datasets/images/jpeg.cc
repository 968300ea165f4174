// libjpeg reports an error by a jump that we make. Between setjmp and the last call of a stage only
// plain values are made, so the jump passes over no destructor; memory belongs to objects outside.
#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include <jpeglib.h>  // needs FILE

#include <jerror.h>

#include "datasets/images/image_codecs.h"

namespace octet {
namespace {

constexpr int kMostScans = 500;  // of a progressive image; more is an attack on our time

struct Failure {
  jpeg_error_mgr manager;  // first: libjpeg's pointer to it is one to this
  std::jmp_buf jump;
  std::array<char, JMSG_LENGTH_MAX> message;
};

void on_error(j_common_ptr info) {
  auto* failure = reinterpret_cast<Failure*>(info->err);
  failure->manager.format_message(info, failure->message.data());
  std::longjmp(failure->jump, 1);
}

// Harmless oddities pass; missing and damaged data is an error.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  const int code = info->err->msg_code;
  if (code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR) return;
  on_error(info);
}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  auto* failure = reinterpret_cast<Failure*>(info->err);
  std::strcpy(failure->message.data(), "too many scans");
  std::longjmp(failure->jump, 1);
}

class Reader {
 public:
  Reader() {
    info_.err = jpeg_std_error(&failure_.manager);
    failure_.manager.error_exit = on_error;
    failure_.manager.emit_message = on_message;
    failure_.message[0] = '\0';
    progress_.progress_monitor = on_progress;
  }
  ~Reader() { jpeg_destroy_decompress(&info_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::string cause() const { return failure_.message.data(); }
  const jpeg_decompress_struct& info() const { return info_; }

  // The header; false on an error.
  bool open(std::string_view bytes) {
    if (setjmp(failure_.jump) != 0) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  // Gray or RGB from here on; no memory of the image's size is taken before.
  bool start() {
    if (setjmp(failure_.jump) != 0) return false;
    info_.out_color_space = info_.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }

  bool read_row(uint8_t* row) {
    if (setjmp(failure_.jump) != 0) return false;
    return jpeg_read_scanlines(&info_, &row, 1) == 1;
  }

  bool finish() {
    if (setjmp(failure_.jump) != 0) return false;
    return jpeg_finish_decompress(&info_) == TRUE;
  }

 private:
  jpeg_decompress_struct info_{};
  Failure failure_{};
  jpeg_progress_mgr progress_{};
};

}  // namespace

Image decode_jpeg(std::string_view bytes, const std::string& path) {
  Reader reader;
  const auto check = [&](bool good) {
    if (!good) refuse_image(path, fmt::format("a broken JPEG image ({})", reader.cause()));
  };
  check(reader.open(bytes));
  if (reader.info().num_components != 1 && reader.info().num_components != 3)
    refuse_image(path, fmt::format("a JPEG image of {} channels", reader.info().num_components));
  Image image = blank_image(path, reader.info().num_components, reader.info().image_height,
                            reader.info().image_width);
  check(reader.start());
  if (reader.info().output_components != image.channels)
    refuse_image(path, fmt::format("a JPEG image of {} channels", reader.info().output_components));
  std::vector<uint8_t> row(static_cast<size_t>(image.width * image.channels));
  for (int64_t y = 0; y < image.height; ++y) {
    check(reader.read_row(row.data()));
    put_row(image, y, row.data());
  }
  check(reader.finish());
  return image;
}

}  // namespace octet
