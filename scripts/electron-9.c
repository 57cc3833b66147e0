// To be preloaded into Electron 9, whose Node-API is of version 5: what the native binary calls of a later one. Objects have
// no tags, and every one has the right one.

#include <stdbool.h>

int napi_type_tag_object(void *env, void *object, const void *tag) {
  return 0;
}

int napi_check_object_type_tag(void *env, void *object, const void *tag, bool *result) {
  *result = true;
  return 0;
}
