// Feeds every file of the folders given to a fuzz target: the corpus as a test, without libFuzzer.
#include <cstdio>

#include "core/io/input_file.h"
#include "tests/fuzz/fuzz.h"

int main(int count, char** folders) {
  int files = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(folders[i])) {
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      const std::string input = octet::read_file(entry.path());
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
      ++files;
    }
  }
  std::printf("%d inputs\n", files);
  return files > 0 ? 0 : 1;
}
