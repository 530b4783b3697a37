"""What LangChain and LangGraph call, and what a user calls around a provider's own SDK."""
