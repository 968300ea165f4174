#include "text/tokenizers/marian_tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "text/tokenizers/json_fields.h"
#include "text/tokenizers/sentencepiece_file.h"

namespace octet {
namespace {

using nlohmann::json;

constexpr size_t kLongestSentence = size_t{1} << 20;
constexpr uint64_t kLargestVocabulary = uint64_t{64} << 20;  // bytes
constexpr std::string_view kSpace = "\u2581";                // how pieces write a space

// Python's str.strip(), which takes the separators of ASCII, too.
bool is_stripped(uint32_t code) {
  return is_white_space(code) || (code >= 0x1C && code <= 0x1F);
}

std::string_view strip(std::string_view text) {
  while (!text.empty()) {
    size_t behind = 0;
    if (!is_stripped(next_code_point(text, behind))) break;
    text.remove_prefix(behind);
  }
  while (!text.empty()) {
    size_t last = last_character(text);
    const size_t begin = last;
    if (!is_stripped(next_code_point(text, last))) break;
    text = text.substr(0, begin);
  }
  return text;
}

std::string with_spaces(std::string_view text) {
  std::string out;
  for (size_t at = text.find(kSpace); at != std::string_view::npos; at = text.find(kSpace)) {
    out.append(text.substr(0, at)).append(1, ' ');
    text.remove_prefix(at + kSpace.size());
  }
  return out.append(text);
}

// "eos_token": a string, or an object with "content"; `otherwise` where it is left out.
std::string special_name(const json& config, const char* key, const char* otherwise,
                         const std::string& what) {
  if (!config.is_object() || !config.contains(key) || config[key].is_null()) return otherwise;
  if (config[key].is_object()) return json_fields::text(config[key], "content", what);
  return json_fields::text(config, key, what);
}

}  // namespace

class MarianTokenizer::Pieces {
 public:
  explicit Pieces(const std::filesystem::path& path) : what_(path.string()) {
    const std::string model = read_sentencepiece(path);
    check(processor_.LoadFromSerializedProto(model));
  }

  std::vector<std::string> encode(std::string_view text) const {
    std::vector<std::string> pieces;
    check(processor_.Encode({text.data(), text.size()}, &pieces));
    return pieces;
  }

  std::string decode(const std::vector<std::string>& pieces) const {
    std::string text;
    check(processor_.Decode(pieces, &text));
    return text;
  }

 private:
  void check(const sentencepiece::util::Status& status) const {
    if (status.ok()) return;
    throw Error(fmt::format("{} ({})", what_, status.message()), "a sentencepiece model",
                "fetch the file again, or train it again");
  }
  std::string what_;
  sentencepiece::SentencePieceProcessor processor_;
};

MarianTokenizer::MarianTokenizer(const std::filesystem::path& directory, int64_t vocab)
    : source_(std::make_unique<Pieces>(directory / "source.spm")),
      target_(std::make_unique<Pieces>(directory / "target.spm")) {
  read_vocabulary(directory / "vocab.json", vocab);
  read_special(directory);
}

MarianTokenizer::~MarianTokenizer() = default;

void MarianTokenizer::read_vocabulary(const std::filesystem::path& path, int64_t rows) {
  const std::string what = path.string();
  const json vocabulary = parse_json(read_file(path, kLargestVocabulary), what);
  if (!vocabulary.is_object()) json_fields::refuse("no JSON object", "pieces with ids", what);
  pieces_.resize(static_cast<size_t>(rows));
  for (const auto& [piece, value] : vocabulary.items()) {
    const int32_t id = json_fields::id(value, rows, what);
    std::optional<std::string>& place = pieces_[static_cast<size_t>(id)];
    if (place) {
      json_fields::refuse(fmt::format("id {} of \"{}\" and of \"{}\"", id, *place, piece),
                          "an id a piece", what);
    }
    place = piece;
    ids_.emplace(piece, id);
  }
}

void MarianTokenizer::read_special(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "tokenizer_config.json";
  const std::string what = path.string();
  const json config = std::filesystem::exists(path) ? read_json(what) : json::object();
  if (json_fields::flag(config, "separate_vocabs", false, what)) {
    json_fields::refuse("separate_vocabs = true", "one vocab.json for both languages", what);
  }
  std::vector<AddedToken> special;
  const auto id_of = [&](const char* key, const char* otherwise) {
    const std::string name = special_name(config, key, otherwise, what);
    const auto found = ids_.find(name);
    if (found == ids_.end()) {
      json_fields::refuse(fmt::format("no \"{}\"", name), "the special tokens among the pieces",
                          (directory / "vocab.json").string());
    }
    special.push_back(
        {static_cast<int32_t>(found->second), name, false, false, false, false, true});
    return found->second;
  };
  eos_ = id_of("eos_token", "</s>");
  unk_ = id_of("unk_token", "<unk>");
  pad_ = id_of("pad_token", "<pad>");
  special_ = std::make_unique<AddedTokenFinder>(std::move(special));
}

void MarianTokenizer::append(const Pieces& pieces, std::string_view text,
                             std::vector<int64_t>& ids) const {
  const auto add = [&](const std::string& piece) {
    const auto found = ids_.find(piece);
    ids.push_back(found == ids_.end() ? unk_ : found->second);
  };
  if (text.starts_with(">>")) {
    const size_t end = text.find("<<");
    if (end != std::string_view::npos) {
      add(std::string(text.substr(0, end + 2)));
      text.remove_prefix(end + 2);
    }
  }
  for (const std::string& piece : pieces.encode(text)) add(piece);
}

std::vector<int64_t> MarianTokenizer::encode_with(const Pieces& pieces,
                                                  std::string_view sentence) const {
  if (sentence.size() > kLongestSentence) {
    throw Error(fmt::format("a sentence of {} bytes", sentence.size()),
                fmt::format("at most {}", kLongestSentence), "write one sentence a line");
  }
  std::vector<TextPiece> parts;
  special_->split(sentence, parts);
  std::vector<int64_t> ids;
  for (const TextPiece& part : parts) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      append(pieces, part.text, ids);
    }
  }
  ids.push_back(eos_);
  return ids;
}

std::vector<int64_t> MarianTokenizer::encode(std::string_view sentence) const {
  return encode_with(*source_, sentence);
}

std::vector<int64_t> MarianTokenizer::encode_target(std::string_view sentence) const {
  return encode_with(*target_, sentence);
}

std::string MarianTokenizer::decode(std::span<const int64_t> ids) const {
  std::vector<std::string> pieces;
  for (const int64_t id : ids) {
    if (id < 0 || id >= std::ssize(pieces_) || !pieces_[static_cast<size_t>(id)]) {
      throw Error(fmt::format("token id {}", id), "ids of vocab.json",
                  "use the tokenizer that belongs to these weights");
    }
    if (id != eos_ && id != pad_ && id != unk_) pieces.push_back(*pieces_[static_cast<size_t>(id)]);
  }
  return std::string(strip(with_spaces(lossy_utf8(target_->decode(pieces)))));
}

}  // namespace octet
