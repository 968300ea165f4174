// IDX data. The first byte says where the input is cut in two: images and labels.
#include <algorithm>
#include <string>

#include "datasets/images/idx.h"
#include "datasets/images/images.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  if (size == 0) return 0;
  const size_t cut = 1 + std::min<size_t>(data[0], size - 1);
  const fuzz::MemoryFile images(data + 1, cut - 1), labels(data + cut, size - cut);
  fuzz::refuse([&] { parse_idx(std::string(fuzz::text(data + 1, size - 1)), "fuzz"); });
  fuzz::refuse([&] {
    const auto set = open_images(
        "idx:" + images.path().string() + "," + labels.path().string() + "@all", Split::kAll);
    for (int64_t i = 0; i < set->size(); ++i) {
      set->image(i);
      set->label(i);
    }
    set->hash();
  });
  return 0;
}
