// octet data: what a DATA argument holds, and its sentence pairs as plain files.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/atomic_file.h"
#include "datasets/images/images.h"
#include "datasets/pairs.h"
#include "tools/commands.h"

namespace octet {
namespace {

struct DataOptions : Options {
  std::string data, split = "all", source, target;
  void visit(OptionVisitor& v) override {
    v.positional(
        "DATA",
        "parallel:SRC,TGT, gettext:LANG[:DIR], idx:DIR or images:DIR; several separated by ';'",
        data);
    v.field("split", "split to read where DATA names none: train, valid, test or all", split);
    v.field("source", "file to write the source sentences to, one per line", source);
    v.field("target", "file to write their translations to, one per line", target);
  }
};

Split parse_split(const std::string& name) {
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest, Split::kAll}) {
    if (name == split_name(split)) return split;
  }
  throw UsageError(fmt::format("--split {}", name), "train, valid, test or all",
                   "choose one of them");
}

bool of_images(const std::string& data) {
  const DataKind kind = parse_data_parts(data).front().kind;
  return kind == DataKind::kIdx || kind == DataKind::kImages;
}

class DataCommand : public Command {
 public:
  std::string name() const override { return "data"; }
  std::string summary() const override {
    return "count the samples of a data set, or write its sentence pairs to two text files";
  }
  std::vector<std::string> examples() const override {
    return {"octet data gettext:de --split test",
            "octet data idx:/usr/share/datasets/fashion-mnist",
            "octet data 'parallel:a.en,a.de;gettext:de' --split train --source train.en --target "
            "train.de"};
  }
  Options& options() override { return options_; }

  int run(const CommonOptions& common, Context&) override {
    const Split split = parse_split(options_.split);
    const nlohmann::json counts =
        of_images(options_.data) ? count_images(split) : count_pairs(split);
    if (common.json) {
      fmt::print("{}\n", counts.dump());
      return 0;
    }
    for (const auto& [what, count] : counts.items()) fmt::print("{}: {}\n", what, count.dump());
    return 0;
  }

 private:
  nlohmann::json count_images(Split split) const {
    const auto images = open_images(options_.data, split);
    std::vector<int64_t> counts(images->classes().size());
    for (int64_t i = 0; i < images->size(); ++i) {
      ++counts[static_cast<size_t>(images->label(i))];
    }
    nlohmann::json classes = nlohmann::json::object();
    for (size_t c = 0; c < counts.size(); ++c) classes[images->classes()[c]] = counts[c];
    return {{"images", images->size()}, {"classes", classes}};
  }

  nlohmann::json count_pairs(Split split) const {
    const auto pairs = read_pairs(options_.data, split);
    std::string source, target;
    for (const SentencePair& pair : pairs) {
      source += pair.source + "\n";
      target += pair.target + "\n";
    }
    if (!options_.source.empty()) write_file(options_.source, source);
    if (!options_.target.empty()) write_file(options_.target, target);
    return {
        {"pairs", pairs.size()}, {"source_bytes", source.size()}, {"target_bytes", target.size()}};
  }

  DataOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_data_command() {
  return std::make_unique<DataCommand>();
}

}  // namespace octet
