#include "models/image_samples.h"
#include "models/open.h"

namespace octet {

std::unique_ptr<Samples> open_image_samples(const std::filesystem::path& model,
                                            const std::string& data, Split split) {
  const ModelConfig config = open_config(model);
  const std::string text = image_processor_text(model);
  return std::make_unique<ImageSamples>(open_images(data, split), config.image.value(),
                                        open_image_processor(model, *config.image), text);
}

}  // namespace octet
