// A JPEG or PNG file.
#include "datasets/images/image_codecs.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  fuzz::refuse([&] { decode_image(fuzz::text(data, size), "fuzz"); });
  return 0;
}
