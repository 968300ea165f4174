// A config.json.
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  fuzz::refuse([&] {
    const nlohmann::json config = parse_json(fuzz::text(data, size), "fuzz");
    executable(config);
    parse_config(config, "fuzz");
  });
  return 0;
}
