/* Macros of libraries that cppcheck, which reads no system headers, must know. Never compiled. */
#define PROTOBUF_C_VERSION_NUMBER       1004001
#define PROTOBUF_C_MIN_COMPILER_VERSION 1000000
#define json_array_foreach(array, index, value)                                                                        \
	for ((index) = 0; (index) < json_array_size(array) && ((value) = json_array_get((array), (index))) != NULL;    \
	     (index)++)
#define json_object_foreach(object, key, value)                                                                        \
	for ((key) = json_object_iter_key(json_object_iter(object));                                                   \
	     (key) != NULL && ((value) = json_object_get((object), (key))) != NULL;                                    \
	     (key) = json_object_iter_key(json_object_iter_next((object), json_object_key_to_iter(key))))
