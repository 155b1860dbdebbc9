// What this library is: release and ABI number.
#include <string>

#include "node/random.h"
#include "sealwire/sealwire.h"
#include "version_config.h"

extern "C" const char* sw_version(void) { return SEALWIRE_VERSION; }
extern "C" uint32_t sw_abi_version(void) { return SEALWIRE_ABI; }

extern "C" const char* sw_build_info(void) {
    static const std::string& info = *new std::string("sealwire " SEALWIRE_VERSION ", " + sealwire::bundled_versions() +
#ifdef __clang__
                                                      ", clang " __clang_version__);
#else
                                                      ", gcc " __VERSION__);
#endif
    return info.c_str();
}
