#include "models/decoding/translation.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/atomic_file.h"
#include "core/utf8.h"
#include "datasets/data_spec.h"
#include "datasets/records.h"
#include "models/source_model.h"
#include "quant/load_model.h"
#include "tools/commands.h"

namespace octet {
namespace {

struct TranslateOptions : Options {
  std::string model, input, out;
  int64_t beam = 0, batch = 32, batch_tokens = 4096, max_length = 0;
  void visit(OptionVisitor& v) override {
    v.positional("MODEL", "a directory with a translation model, float or quantized", model);
    v.field("input", "text to translate, one sentence per line: FILE, or - for stdin", input);
    v.field("out", "file to write the translations to (default: stdout)", out);
    v.field("beam", "beam size of the search, 1 for greedy, 0 for what generation_config.json says",
            beam);
    v.field("batch", "most sentences in a batch", batch);
    v.field("batch-tokens", "most source tokens in a batch, padding included; 0 for no limit",
            batch_tokens);
    v.field("max-length",
            "most tokens in a translation, including start and end; 0 for what "
            "generation_config.json says",
            max_length);
  }
};

// The lines of a text; a line break at the end begins no line. Ill-formed UTF-8 becomes U+FFFD.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(lossy_utf8(std::string_view(text).substr(begin, end - begin)));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    begin = end + 1;
  }
  return lines;
}

std::vector<std::string> read_input(const std::string& input) {
  require_option(input, "input", "a text to translate, or - for stdin");
  if (input != "-") return lines_of(read_whole(input, kMostData));
  return lines_of({std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()});
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class TranslateCommand : public Command {
 public:
  std::string name() const override { return "translate"; }
  std::string summary() const override {
    return "translate text line by line with a float or quantized model";
  }
  std::vector<std::string> examples() const override {
    return {"octet translate marian-en-de --input english.txt --out german.txt",
            "echo 'A man in a blue shirt.' | octet translate marian-w8a8 --input - --beam 1"};
  }
  Options& options() override { return options_; }

  int run(const CommonOptions& common, Context& context) override {
    const std::vector<std::string> sources = read_input(options_.input);
    LoadOptions load;
    load.device = context.device;
    load.gemm_file = context.gemm_file;
    const SourceModel model(options_.model);
    const LoadedModel loaded = load_model(model, load);
    Translator translator(*loaded.model, *loaded.executor, model);
    adjust(translator.generation(), loaded.config);
    const Translations made =
        translator.translate(sources, {options_.batch, options_.batch_tokens}, context);
    const std::string text = joined(made.text);
    if (!options_.out.empty()) {
      write_file(options_.out, text);
    } else if (!common.json) {
      std::fwrite(text.data(), 1, text.size(), stdout);
    }
    report(loaded.scheme, translator.generation(), made, common, context);
    return 0;
  }

 private:
  void adjust(GenerationConfig& generation, const ModelConfig& config) const {
    if (options_.beam < 0 || options_.beam > 64 || options_.max_length < 0 ||
        options_.max_length == 1) {
      throw UsageError(fmt::format("--beam {} --max-length {}", options_.beam, options_.max_length),
                       "0..64 beams, and 0 or at least 2 tokens", "see octet translate --help");
    }
    if (options_.beam > 0) generation.beams = options_.beam;
    if (options_.max_length > 0) {
      generation.max_length = std::min(options_.max_length, config.max_positions);
    }
  }

  void report(const std::string& scheme, const GenerationConfig& generation,
              const Translations& made, const CommonOptions& common, Context& context) const {
    const double seconds = std::max(made.seconds, 1e-9);
    const double sentences = static_cast<double>(made.text.size()) / seconds;
    const double tokens = static_cast<double>(made.target_tokens) / seconds;
    context.log.info(fmt::format(
        "{} sentences in {:.2f} s ({}, beam {}): {:.1f} sentences/s, {:.0f} target tokens/s",
        made.text.size(), made.seconds, scheme, generation.beams, sentences, tokens));
    if (!common.json) return;
    nlohmann::json result = {{"model", options_.model},
                             {"scheme", scheme},
                             {"beam", generation.beams},
                             {"sentences", made.text.size()},
                             {"source_tokens", made.source_tokens},
                             {"target_tokens", made.target_tokens},
                             {"seconds", made.seconds},
                             {"sentences_per_second", sentences},
                             {"tokens_per_second", tokens}};
    if (options_.out.empty()) result["translations"] = made.text;
    fmt::print("{}\n", result.dump());
  }

  TranslateOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_translate_command() {
  return std::make_unique<TranslateCommand>();
}

}  // namespace octet
