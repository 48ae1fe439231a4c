build-tsan/obj/libflynn/json.o: libflynn/json.c libflynn/json.h \
 libflynn/err.h libflynn/attr.h libflynn/json_tree.h libflynn/json.h \
 libflynn/utf8.h libflynn/xmalloc.h
libflynn/json.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/json_tree.h:
libflynn/json.h:
libflynn/utf8.h:
libflynn/xmalloc.h:
