build-tsan/obj/libflynn/frame.o: libflynn/frame.c libflynn/frame.h \
 libflynn/err.h libflynn/attr.h
libflynn/frame.h:
libflynn/err.h:
libflynn/attr.h:
