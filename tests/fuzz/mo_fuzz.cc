// A message catalogue: every message read, cleaned and split.
#include "datasets/gettext/clean_message.h"
#include "datasets/gettext/mo_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  fuzz::refuse([&] {
    for (const Message& message : parse_mo(std::string(fuzz::text(data, size)), "fuzz").messages) {
      for (const SentencePair& pair : clean_message(message.source, message.target))
        split_by_hash(letters_of(pair.source), 40);
    }
  });
  return 0;
}
