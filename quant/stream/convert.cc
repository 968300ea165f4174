#include "quant/stream/convert.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/io/atomic_file.h"
#include "core/io/stage_dir.h"
#include "core/version.h"
#include "models/parse_dtype.h"
#include "models/source_model.h"
#include "models/torch_dtype.h"
#include "models/weights/gguf_tensors.h"
#include "models/weights/weight_sources.h"
#include "quant/formats/compressed_tensors/compressed_tensors.h"

namespace octet {
namespace {

// The tensors without rounding: GGUF blocks as float32.
std::shared_ptr<TensorSource> exact_tensors(const SourceModel& model) {
  if (!model.is_gguf()) return model.tensors();
  auto source = std::make_shared<GgufTensors>(model.gguf(), Dtype::kF32);
  if (source->unknown().empty()) return source;
  throw Error(fmt::format("{} unknown tensors in {}, {} first", source->unknown().size(),
                          model.path().string(), source->unknown().front()),
              "the tensors of a llama-family GGUF file",
              "convert with the tools of that architecture");
}

at::Tensor cast(const std::string& name, const at::Tensor& tensor, at::ScalarType dtype) {
  const at::Tensor made = tensor.to(dtype).contiguous();
  if (!at::isfinite(made).all().item<bool>()) {
    throw Error(fmt::format("a value of {} above the largest {}", name, c10::toString(dtype)),
                "values within the dtype's range", "use --dtype bfloat16 or float32");
  }
  return made;
}

void write_weights(const SourceModel& model, const std::filesystem::path& file,
                   at::ScalarType dtype, ConvertResult& result, Context& context) {
  const auto source = exact_tensors(model);
  TensorWeights weights(source);
  std::vector<TensorInfo> infos = source->tensors();
  std::ranges::sort(infos, {}, &TensorInfo::name);
  for (TensorInfo& info : infos) info.dtype = container_dtype(dtype);
  SafetensorsWriter writer(file, infos);
  Progress progress(context.log, "convert", std::ssize(infos));
  for (const TensorInfo& info : infos) {
    context.stop.check("run the same command again");
    const at::Tensor tensor = cast(info.name, weights.get(info.name).dense, dtype);
    writer.write(info.name,
                 {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
    progress.advance();
  }
  writer.commit();
  result.tensors = std::ssize(infos);
}

}  // namespace

void ConvertOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory or a .gguf file with float weights", model);
  v.field("to", "format to write: safetensors", to);
  v.field("dtype", "dtype of the tensors to write: float16, bfloat16 or float32", dtype);
  v.field("out", "directory to write", out);
}

ConvertResult convert(const SourceModel& model, const ConvertOptions& options, Context& context) {
  if (options.to != "safetensors")
    throw UsageError("--to " + options.to, "safetensors", "pass --to safetensors");
  require_option(options.out, "out", "a directory to write");
  const at::ScalarType dtype = parse_dtype(options.dtype);
  if (model.config().quantized) {
    throw UsageError(fmt::format("{} is quantized already", options.model), "a float model",
                     "convert the checkpoint it was made from");
  }
  nlohmann::json key = to_json(options);
  key.erase("out");
  key["octet"] = kVersion;
  key["input"] = model.fingerprint();
  StageDir stage(options.out, key);
  ConvertResult result{options.out, 0, 0, stage.complete()};
  if (!stage.complete()) {
    nlohmann::json config = model.config_json();
    config.erase("torch_dtype");
    config["dtype"] = options.dtype;
    write_weights(model, stage.path() / "model.safetensors", dtype, result, context);
    copy_companions(model, stage.path());
    write_file(stage.path() / "config.json", config.dump(2) + "\n");
    stage.commit();
  }
  result.bytes = weight_file_bytes(options.out);
  return result;
}

}  // namespace octet
