// The element types of responses, as all ops and launchers name them. Torch-free.
#pragma once

namespace wrcor {

enum class Element { float32, float64, float16, bfloat16 };

}  // namespace wrcor
