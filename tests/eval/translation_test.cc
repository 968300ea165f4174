#include "eval/translation.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "eval/translation_scores.h"
#include "models/decoding/translation.h"
#include "models/source_model.h"
#include "tests/models/marian_toys.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

// Sentences of a toy's own vocabulary, a toy model and one whose weights are rounded coarsely.
struct Scene {
  fs::path folder =
      fs::path(testing::TempDir()) / ("octet-translation-" + std::to_string(getpid()));
  Log log{true};
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  SourceModel source{folder / "toy"};
  LoadedModel reference, coarse;

  Scene() {
    fs::remove_all(folder);
    write_toy_marian(folder / "toy");
    const std::vector<std::string> lines = {"a man is here",       "the dog",
                                            "a woman in a park",   "so",
                                            "two men and the dog", "he is in the street"};
    std::ofstream sources(folder / "a"), target(folder / "b");
    for (size_t i = 0; i < lines.size(); ++i) {
      sources << lines[i] << "\n";
      target << lines[lines.size() - 1 - i] << "\n";
    }
    reference = load_model(source);
    coarse = load_model(source);
    const at::NoGradGuard no_gradients;
    for (Parameter& p : coarse.executor->parameters()) {
      if (p.kind == Parameter::Kind::kWeight) p.leaf.copy_(at::round(p.leaf * 4) / 4);
    }
  }
  ~Scene() { fs::remove_all(folder); }
  std::string toy() const { return folder / "toy"; }
  std::string data() const {
    return "parallel:" + (folder / "a").string() + "," + (folder / "b").string();
  }
  TranslationData open(int64_t count = 0) {
    return open_translation_data(source, data(), count, context);
  }
  std::vector<std::string> translate(LoadedModel& model, const TranslationData& data,
                                     int64_t beams) {
    Translator translator(*model.model, *model.executor, source);
    translator.generation().beams = beams;
    std::vector<std::string> sources;
    for (const SentencePair& pair : data.pairs) sources.push_back(pair.source);
    return translator.translate(sources, {}, context).text;
  }
};

TEST(TranslationOracle, ScoresWhatTheModelsTranslate) {
  Scene scene;
  const TranslationData data = scene.open();
  ASSERT_EQ(data.pairs.size(), 6U);
  const auto results = evaluate_translations({&scene.reference, &scene.coarse}, &scene.reference,
                                             data, {2, 4, 0}, scene.context);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].outputs, scene.translate(scene.reference, data, 2));
  EXPECT_EQ(results[1].outputs, scene.translate(scene.coarse, data, 2));
  ASSERT_NE(results[0].outputs, results[1].outputs);
  EXPECT_FALSE(results[0].scores.scores[0].has_reference());
  const auto expected = score_translations(data.pairs, results[1].outputs, results[0].outputs);
  ASSERT_EQ(results[1].scores.scores.size(), 2U);
  for (const size_t k : {0, 1})
    EXPECT_EQ(to_json(results[1].scores.scores[k]), to_json(expected.scores[k]));
  EXPECT_EQ(results[1].scores.examples.size(), expected.examples.size());
  EXPECT_EQ(results[1].scores.task, "translation");
  EXPECT_EQ(results[1].scores.scheme, "float32");
  EXPECT_EQ(results[1].scores.signature, "sentences:6/6|log-probs:float32|beam:2");
  EXPECT_GT(results[1].seconds, 0);
  EXPECT_GT(results[1].target_tokens, 0);
}

TEST(TranslationOracle, ComparesTheRightTranslationsWithThem) {
  Scene scene;
  const TranslationData data = scene.open();
  const auto results =
      evaluate_translations({&scene.coarse}, &scene.reference, data, {1, 32, 0}, scene.context);
  const Comparison& comparison = *results[0].scores.comparison;
  EXPECT_EQ(comparison.windows, 6);
  EXPECT_TRUE(comparison.has_reference);
  EXPECT_GT(comparison.kl_mean, 0);
  int64_t positions = 0;
  const std::vector<int64_t> all = {0, 1, 2, 3, 4, 5};
  positions = data.forced.samples->batch(all).targets.ne(kNoTarget).sum().item<int64_t>();
  EXPECT_EQ(comparison.positions, positions);
  EXPECT_TRUE(results[0].scores.scores[0].has_reference());  // it was translated for this
}

TEST(TranslationOracle, WithoutAReference) {
  Scene scene;
  const TranslationData data = scene.open(4);
  EXPECT_EQ(data.pairs.size(), 4U);
  const auto results = evaluate_translations({&scene.coarse}, nullptr, data, {}, scene.context);
  EXPECT_FALSE(results[0].scores.comparison->has_reference);
  EXPECT_FALSE(results[0].scores.scores[0].has_reference());
  EXPECT_EQ(results[0].scores.signature, "sentences:4/6|log-probs:float32|beam:4");
}

TEST(TranslationOracle, Refuses) {
  Scene scene;
  const TranslationData data = scene.open();
  for (const int64_t beams : {0, 65}) {
    EXPECT_THROW(
        evaluate_translations({&scene.coarse}, nullptr, data, {beams, 32, 0}, scene.context),
        UsageError);
  }
  EXPECT_THROW(open_translation_data(scene.source, "", 0, scene.context), UsageError);
}

TEST(TranslationOracle, AsTheCommandDoesIt) {
  Scene scene;
  EvalOptions options;
  options.model = options.reference = scene.toy();
  options.data = scene.data();
  options.beam = 2, options.windows = 5;
  const TranslationEvaluation result = evaluate_translation(scene.source, options, scene.context);
  EXPECT_EQ(result.outputs.size(), 5U);
  EXPECT_EQ(result.scores.scores[0].changed, 0);
  EXPECT_EQ(result.scores.scores[0].p_value, 1);
  EXPECT_LT(result.scores.comparison->kl_max, 1e-6);
}

}  // namespace
}  // namespace octet::test
