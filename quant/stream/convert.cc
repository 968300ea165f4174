#include "quant/stream/convert.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/atomic_file.h"
#include "core/io/stage_dir.h"
#include "core/json.h"
#include "core/version.h"
#include "models/open.h"
#include "models/parse_dtype.h"
#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"
#include "quant/formats/compressed_tensors/compressed_tensors.h"

namespace octet {
namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;

// A float source without rounding: GGUF blocks as float32.
std::shared_ptr<WeightSource> exact_source(const std::string& model) {
  if (is_gguf(model)) return std::make_shared<GgufSource>(model, false);
  return std::make_shared<CheckpointSource>(model);
}

Shapes shapes_of(const std::string& model, WeightSource& source) {
  Shapes shapes;
  if (is_gguf(model)) {
    auto& gguf = dynamic_cast<GgufSource&>(source);
    for (const auto& [name, stored] : gguf.names()) shapes[name] = gguf.file().tensor(stored).shape;
    if (!gguf.unknown().empty()) {
      throw Error(fmt::format("{} unknown tensors in {}, {} first", gguf.unknown().size(), model,
                              gguf.unknown().front()),
                  "the tensors of a llama-family GGUF file",
                  "convert with the tools of that architecture");
    }
  } else {
    for (const auto& [name, location] :
         dynamic_cast<CheckpointSource&>(source).checkpoint().tensors()) {
      shapes[name] = location.entry.info.shape;
    }
  }
  return shapes;
}

at::Tensor cast(const std::string& name, const at::Tensor& tensor, at::ScalarType dtype) {
  const at::Tensor made = tensor.to(dtype).contiguous();
  if (!at::isfinite(made).all().item<bool>()) {
    throw Error(fmt::format("a value of {} above the largest {}", name, c10::toString(dtype)),
                "values within the dtype's range", "use --dtype bfloat16 or float32");
  }
  return made;
}

void write_weights(const std::string& model, const std::filesystem::path& file,
                   at::ScalarType dtype, ConvertResult& result, Context& context) {
  const auto source = exact_source(model);
  const Shapes shapes = shapes_of(model, *source);
  std::vector<TensorInfo> infos;
  for (const auto& [name, shape] : shapes) infos.push_back({name, container_dtype(dtype), shape});
  SafetensorsWriter writer(file, infos);
  Progress progress(context.log, "convert", static_cast<int64_t>(shapes.size()));
  for (const auto& [name, shape] : shapes) {
    context.stop.check("run the same command again");
    const at::Tensor tensor = cast(name, source->get(name).dense, dtype);
    writer.write(name, {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
    progress.advance();
  }
  writer.commit();
  result.tensors = static_cast<int64_t>(shapes.size());
}

}  // namespace

void ConvertOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a .gguf file or a Hugging Face directory with float weights", model);
  v.field("to", "container to write: safetensors", to);
  v.field("dtype", "of the tensors written: float16, bfloat16 or float32", dtype);
  v.field("out", "directory to write", out);
}

ConvertResult convert(const ConvertOptions& options, Context& context) {
  if (options.to != "safetensors")
    throw UsageError("--to " + options.to, "safetensors", "choose it");
  require_option(options.out, "out", "a directory to write");
  const at::ScalarType dtype = parse_dtype(options.dtype);
  nlohmann::json config = parse_json(config_text(options.model), options.model);
  if (parse_config(config, options.model).quantized) {
    throw UsageError(fmt::format("{} is quantized already", options.model), "a float model",
                     "convert the checkpoint it was made from");
  }
  nlohmann::json key = to_json(options);
  key.erase("out");
  key["octet"] = kVersion;
  key["input"] = model_fingerprint(options.model);
  StageDir stage(options.out, key);
  ConvertResult result{options.out, 0, 0, stage.complete()};
  if (!stage.complete()) {
    config.erase("torch_dtype");
    config["dtype"] = options.dtype;
    write_weights(options.model, stage.path() / "model.safetensors", dtype, result, context);
    copy_companions(options.model, stage.path());
    write_file(stage.path() / "config.json", config.dump(2) + "\n");
    stage.commit();
  }
  result.bytes = weight_file_bytes(options.out);
  return result;
}

}  // namespace octet
