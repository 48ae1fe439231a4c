build-tsan/obj/libflynn/err.o: libflynn/err.c libflynn/err.h \
 libflynn/attr.h
libflynn/err.h:
libflynn/attr.h:
