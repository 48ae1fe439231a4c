build-tsan/obj/libflynn/utf8.o: libflynn/utf8.c libflynn/utf8.h
libflynn/utf8.h:
