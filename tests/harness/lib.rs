//! What every black-box test needs: real servers, real clients, free ports.
