"""Docker's plug-in protocol, version 1, client side: programs that answer JSON requests on a socket.

A *plug-in* has a name, is found by a socket or a file of that name, and implements *subsystems* such as VolumeDriver.
"""
