build-tsan/obj/libflynn/json_write.o: libflynn/json_write.c \
 libflynn/json.h libflynn/buf.h libflynn/attr.h libflynn/json_tree.h \
 libflynn/json.h libflynn/utf8.h
libflynn/json.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/json_tree.h:
libflynn/json.h:
libflynn/utf8.h:
