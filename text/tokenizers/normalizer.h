// The normalizer of a tokenizer.json: what happens to text before it is split.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace octet {

/// `text` (well-formed UTF-8) in Unicode's normalization form C. Returns `text` itself where it is
/// in that form already, otherwise a view into `storage`.
std::string_view to_nfc(std::string_view text, std::string& storage);

/// None (null, or an empty Sequence), NFC, or a Sequence of NFC.
class Normalizer {
 public:
  /// `spec` is the "normalizer" of a tokenizer.json. Error for any other normalizer, naming it.
  Normalizer(const nlohmann::json& spec, const std::string& what);

  /// The normalized `text` (well-formed UTF-8): itself, or a view into `storage`.
  std::string_view normalize(std::string_view text, std::string& storage) const {
    return nfc_ ? to_nfc(text, storage) : text;
  }

 private:
  void add(const nlohmann::json& spec, const std::string& what);
  bool nfc_ = false;
};

}  // namespace octet
