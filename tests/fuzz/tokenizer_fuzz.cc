// A tokenizer.json, and a text through it and back.
#include <string>

#include "tests/fuzz/fuzz.h"
#include "text/tokenizers/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace octet;
  static const std::string kText =
      "Hello  world's 12345\r\n\t na\xC3\xAFve \xE4\xB8\xAD\xE6\x96\x87 <|a|> \xF0\x9F\x98\x80 "
      "\xFF.";
  fuzz::refuse([&] {
    const auto tokenizer = Tokenizer::from_json_text(fuzz::text(data, size), "fuzz");
    tokenizer->decode(tokenizer->encode(kText));
    tokenizer->id("a");
  });
  return 0;
}
