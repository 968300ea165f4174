// A safetensors file: header, tensors, and what the names and shapes say.
#include <vector>

#include "core/containers/safetensors.h"
#include "models/modules_by_name.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  const fuzz::MemoryFile memory(data, size);
  fuzz::refuse([&] {
    const SafetensorsFile file(memory.path());
    std::vector<TensorInfo> infos;
    for (const auto& [name, entry] : file.entries()) {
      std::vector<std::byte> bytes(entry.end - entry.begin);
      file.read(entry, bytes);
      infos.push_back(entry.info);
    }
    modules_by_name(infos);
  });
  return 0;
}
